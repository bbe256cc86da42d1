-- Huiya hospital's open tables (惠亚院区开放表), in Huiya's own database.
--
-- What a reader may rely on:
--   * `updated_at` is set on every insert and update and never goes back within a row; several rows may share one.
--   * (updated_at, primary key) orders the versions of a table's rows.
--   * dates and times other than `updated_at` are text as the desk typed them, 'YYYY-MM-DD' or 'YYYY-MM-DD HH24:MI:SS'
--     in the hospital's local time (Asia/Shanghai); Huiya does not check them, so impossible ones occur.
--   * `is_deleted` = 1 marks a row that was taken back (patient has none: patients are never taken back).
--   * `charge` has no `is_deleted`: a cancelled line is removed, and only its absence tells.
-- Codes are Huiya's own: sex 1 男, 2 女, 9 未说明, 0 未知 (GB/T 2261.1); visit_type O 门诊, E 急诊, I 住院, T 体检;
-- abnormal N, L, H, LL, HH, A; lab item codes such as 10021 (see catalogue/lab_items.csv, column hy).

CREATE TABLE IF NOT EXISTS patient (
  patient_no  text PRIMARY KEY,
  name        text NOT NULL,
  sex         text,
  birth_date  text,
  id_card     text,
  phone       text,
  address     text,
  updated_at  timestamptz(3) NOT NULL
);

CREATE TABLE IF NOT EXISTS visit (
  visit_no       text PRIMARY KEY,
  patient_no     text NOT NULL,
  visit_type     text NOT NULL,
  dept_code      text,
  dept_name      text,
  doctor_code    text,
  doctor_name    text,
  bed_no         text,
  start_time     text,
  end_time       text,
  diagnosis_code text,
  diagnosis_name text,
  status         text NOT NULL,             -- 在诊 结束 取消
  is_deleted     smallint NOT NULL DEFAULT 0,
  updated_at     timestamptz(3) NOT NULL
);

CREATE TABLE IF NOT EXISTS lab_order (
  order_no    text PRIMARY KEY,
  patient_no  text NOT NULL,
  visit_no    text NOT NULL,
  panel_code  text NOT NULL,
  panel_name  text NOT NULL,
  priority    text NOT NULL,                -- 普通 急 特急
  status      text NOT NULL,                -- 申请 完成 作废
  ordered_at  text,
  doctor_code text,
  doctor_name text,
  is_deleted  smallint NOT NULL DEFAULT 0,
  updated_at  timestamptz(3) NOT NULL
);

-- One row is one item of a report; the report's other items are other rows with the same report_no.
CREATE TABLE IF NOT EXISTS lab_result (
  result_no       text PRIMARY KEY,         -- report number, a dash, line number
  report_no       text NOT NULL,
  order_no        text NOT NULL,
  patient_no      text NOT NULL,
  visit_no        text NOT NULL,
  panel_code      text NOT NULL,
  panel_name      text NOT NULL,
  item_code       text NOT NULL,
  item_name       text NOT NULL,
  value           text NOT NULL,
  unit            text,
  reference_range text,
  abnormal        text,
  status          text NOT NULL,            -- 初步 审核 修正
  reported_at     text,
  doctor_code     text,
  doctor_name     text,
  is_deleted      smallint NOT NULL DEFAULT 0,
  updated_at      timestamptz(3) NOT NULL
);

CREATE TABLE IF NOT EXISTS exam_report (
  report_no    text PRIMARY KEY,
  order_no     text NOT NULL,
  patient_no   text NOT NULL,
  visit_no     text NOT NULL,
  modality     text NOT NULL,               -- CT MR DX US
  item_code    text NOT NULL,
  item_name    text NOT NULL,
  findings     text,
  conclusion   text,
  status       text NOT NULL,               -- 初步 审核 修正
  reported_at  text,
  doctor_code  text,
  doctor_name  text,
  is_deleted   smallint NOT NULL DEFAULT 0,
  updated_at   timestamptz(3) NOT NULL
);

CREATE TABLE IF NOT EXISTS charge (
  charge_no   text PRIMARY KEY,
  patient_no  text NOT NULL,
  visit_no    text NOT NULL,
  item_code   text NOT NULL,
  item_name   text NOT NULL,
  quantity    numeric(10,2) NOT NULL,
  amount      numeric(12,2) NOT NULL,       -- CNY
  payer       text,
  charged_at  text,
  updated_at  timestamptz(3) NOT NULL
);

CREATE INDEX IF NOT EXISTS patient_updated ON patient (updated_at, patient_no);
CREATE INDEX IF NOT EXISTS visit_updated ON visit (updated_at, visit_no);
CREATE INDEX IF NOT EXISTS lab_order_updated ON lab_order (updated_at, order_no);
CREATE INDEX IF NOT EXISTS lab_result_updated ON lab_result (updated_at, result_no);
CREATE INDEX IF NOT EXISTS exam_report_updated ON exam_report (updated_at, report_no);
CREATE INDEX IF NOT EXISTS charge_updated ON charge (updated_at, charge_no);
