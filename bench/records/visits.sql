-- Visits %(first)s to %(last)s of %(visits)s with all that is recorded of them, in the order of time, so that a patient's rows lie as
-- scattered as in life. Who comes follows Zipf and Mandelbrot (exponent 0.7): most come a few times, some a few hundred times.
CREATE TEMP TABLE visit ON COMMIT DROP AS
SELECT n, h, p, pg_temp.campus(p) AS f, md5('encounter' || n) AS e, at, at + interval '5 minutes' AS changed, 'V' || n AS number,
       CASE WHEN h %% 100 < 78 THEN 'outpatient' WHEN h %% 100 < 88 THEN 'emergency' WHEN h %% 100 < 96 THEN 'inpatient' ELSE 'checkup' END AS class,
       (1000 + h / 19 %% 400)::text AS doctor, (%(surnames)s::text[])[1 + h / 23 %% cardinality(%(surnames)s::text[])] || '医生' AS doctor_name,
       lpad((101 + h / 29 %% 40)::text, 4, '0') AS department
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
 CROSS JOIN LATERAL (SELECT hashint8extended(n, 1) & 9223372036854775807 AS h, timestamptz '2010-01-01 08:00+08'
                            + (n::float8 / %(visits)s) * interval '4000 days' AS at) AS x
 CROSS JOIN LATERAL (SELECT least(%(patients)s::bigint, 1 + floor(%(patients)s * (power((h %% 1000000007) / 1000000007.0::float8
                            * (power(1.00025::float8, 0.3) - power(0.00025::float8, 0.3)) + power(0.00025::float8, 0.3), 1 / 0.3::float8)
                            - 0.00025))::bigint) AS p) AS y;

INSERT INTO records.encounter (id, patient_id, facility, number, class, status, department_code, department_name, doctor_number, doctor_name,
                               start_at, end_at, at, deleted, version, message_id, changed_at)
SELECT e::uuid, p, f, number, class, 'finished', department, '呼吸内科', doctor, doctor_name, at, at + interval '2 hours', at, false, 1, n, changed
  FROM visit;

INSERT INTO records.diagnosis (id, patient_id, facility, encounter_id, rank, code, name, system, at, deleted, version, message_id, changed_at)
SELECT pg_temp.child(e, 'd' || k), p, f, e::uuid, k, chr((65 + h / 31 %% 20)::int) || lpad((h / 37 %% 100)::text, 2, '0') || '.' || k + h %% 9,
       '急性上呼吸道感染', 'http://hl7.org/fhir/sid/icd-10', at, false, 1, n, changed
  FROM visit CROSS JOIN LATERAL generate_series(0, (h / 41 %% 2)::int) AS k;

-- Order 1 of seven visits in ten is a laboratory's, order 2 of one in four an examination's; the others are medicines.
CREATE TEMP TABLE ordered ON COMMIT DROP AS
SELECT v.*, k, md5('order' || n || '-' || k) AS o, 'O' || n || '-' || k AS order_number,
       CASE WHEN k = 1 AND h / 43 %% 10 < 7 THEN 'lab' WHEN k = 2 AND h / 47 %% 4 = 0 THEN 'exam' ELSE 'medication' END AS kind
  FROM visit v CROSS JOIN LATERAL generate_series(1, 2 + (h / 53 %% 3)::int) AS k;

INSERT INTO records."order" (id, patient_id, facility, number, encounter_id, kind, status, priority, item_code, item_name, item_system, ordered_at,
                             doctor_number, doctor_name, prescription, dose, dose_unit, route_code, route_name, frequency_code, days, quantity,
                             quantity_unit, at, deleted, version, message_id, changed_at)
SELECT o::uuid, p, f, order_number, e::uuid, kind, 'completed', 'routine', CASE kind WHEN 'lab' THEN '58410-2' WHEN 'exam' THEN '24627-2' ELSE 'D' || (h / 59 + k) %% 900 END,
       CASE kind WHEN 'lab' THEN '血常规' WHEN 'exam' THEN '胸部CT平扫' ELSE '阿莫西林胶囊' END, CASE WHEN kind <> 'medication' THEN 'http://loinc.org' END, at,
       doctor, doctor_name, CASE WHEN m THEN 'RX' || n END, CASE WHEN m THEN 0.5 END, CASE WHEN m THEN 'g' END, CASE WHEN m THEN 'po' END,
       CASE WHEN m THEN '口服' END, CASE WHEN m THEN 'tid' END, CASE WHEN m THEN 7 END, CASE WHEN m THEN 2 END, CASE WHEN m THEN '盒' END,
       at, false, 1, n, changed
  FROM ordered CROSS JOIN LATERAL (SELECT kind = 'medication' AS m) AS x;

CREATE TEMP TABLE reported ON COMMIT DROP AS
SELECT *, md5('report' || n || '-' || k) AS r, 'R' || n || '-' || k AS report_number FROM ordered WHERE kind <> 'medication';

INSERT INTO records.report (id, patient_id, facility, number, encounter_id, order_id, order_number, kind, status, item_code, item_name, item_system,
                            modality, issued_at, author_number, author_name, doctor_number, doctor_name, findings, conclusion, specimen_code,
                            specimen_name, at, deleted, version, message_id, source_version, changed_at)
SELECT r::uuid, p, f, report_number, e::uuid, o::uuid, order_number, kind, 'final', CASE kind WHEN 'lab' THEN '58410-2' ELSE '24627-2' END,
       CASE kind WHEN 'lab' THEN '血常规' ELSE '胸部CT平扫' END, 'http://loinc.org', CASE WHEN x THEN 'CT' END, at, '6002', '谢思敏', doctor, doctor_name,
       CASE WHEN x THEN '双肺纹理清晰，未见明显实变影及结节影。气管及主支气管通畅。纵隔内未见肿大淋巴结。心影大小正常。双侧胸腔未见积液。' END,
       CASE WHEN x THEN '胸部CT平扫未见明显异常。' END, CASE WHEN NOT x THEN 'BLD' END, CASE WHEN NOT x THEN '全血' END, at, false, 1, n, NULL, changed
  FROM reported CROSS JOIN LATERAL (SELECT kind = 'exam' AS x) AS y;

INSERT INTO records.result (id, patient_id, facility, report_id, encounter_id, category, rank, status, item_code, item_name, item_system, value,
                            value_number, unit, reference_range, flag, observed_at, at, deleted, version, message_id, changed_at)
SELECT pg_temp.child(r, 'o' || j), p, f, r::uuid, e::uuid, 'lab', j, 'final', (%(codes)s::text[])[i], (%(items)s::text[])[i], 'http://loinc.org',
       w::text, w, (%(units)s::text[])[i], '3.5-9.5', (ARRAY['normal', 'normal', 'normal', 'low', 'high'])[1 + (h / 61 + j) %% 5], at, at, false, 1, n, changed
  FROM reported CROSS JOIN LATERAL generate_series(0, 3 + (h / 67 %% 17)::int) AS j
 CROSS JOIN LATERAL (SELECT 1 + (h / 71 + j) %% cardinality(%(codes)s::text[]) AS i, round(((h / 73 + j * 977) %% 9000) / 100.0, 2) AS w) AS y
 WHERE kind = 'lab';

INSERT INTO records.charge (id, patient_id, facility, number, encounter_id, item_code, item_name, amount, currency, quantity, charged_at, payer, at,
                            deleted, version, message_id, changed_at)
SELECT md5('charge' || n || '-' || k)::uuid, p, f, 'C' || n || '-' || k, e::uuid, 'C000' || k, '诊查费', 5 + h / 79 %% 30000 / 100.0, 'CNY', 1, x.at,
       '城乡居民医保', x.at, false, 1, n, changed
  FROM visit v CROSS JOIN LATERAL generate_series(1, 3 + (h / 83 %% 3)::int) AS k
 CROSS JOIN LATERAL (SELECT v.at + k * interval '1 minute' AS at) AS x;

INSERT INTO records.document (id, patient_id, facility, number, encounter_id, type_code, type_name, type_system, title, status, mime_type,
                              content_sha256, content_size, author_number, author_name, created_at, at, deleted, version, message_id, changed_at)
SELECT md5('document' || n)::uuid, p, f, 'D' || n, e::uuid, 'C0053', '出院小结', 'urn:oid:2.16.156.10011.2.4', '出院小结', 'current', 'text/xml',
       b.sha256, b.size, doctor, doctor_name, at, at, false, 1, n, changed
  FROM visit CROSS JOIN LATERAL (SELECT pg_temp.content(n %% 1000) AS text) AS t
 CROSS JOIN LATERAL (SELECT sha256(convert_to(text, 'UTF8')) AS sha256, octet_length(text) AS size) AS b WHERE h / 89 %% 10 < 3;

INSERT INTO records.appointment (id, patient_id, facility, number, encounter_id, status, department_code, department_name, doctor_number, doctor_name,
                                 start_at, minutes, at, deleted, version, message_id, changed_at)
SELECT md5('appointment' || n)::uuid, p, f, 'A' || n, e::uuid, 'fulfilled', department, '呼吸内科', doctor, doctor_name, at, 15, at, false, 1, n, changed
  FROM visit WHERE h / 97 %% 5 = 0;

INSERT INTO records.procedure (id, patient_id, facility, number, encounter_id, kind, status, item_code, item_name, item_system, start_at, end_at,
                               doctor_number, doctor_name, level, incision, at, deleted, version, message_id, changed_at)
SELECT md5('procedure' || n)::uuid, p, f, 'S' || n, e::uuid, 'surgery', 'completed', '51.2300', '腹腔镜下胆囊切除术', 'urn:oid:2.16.156.10011.2.3.3.12', at,
       at + interval '1 hour', doctor, doctor_name, '3', 'II/甲', at, false, 1, n, changed
  FROM visit WHERE h / 101 %% 20 = 0;

INSERT INTO records.allergy (id, patient_id, facility, number, encounter_id, category, criticality, status, reaction, item_code, item_name, noted_at,
                             at, deleted, version, message_id, changed_at)
SELECT md5('allergy' || n)::uuid, p, f, 'AL' || n, e::uuid, 'medication', 'high', 'active', '皮疹', 'D100', '青霉素', at, at, false, 1, n, changed
  FROM visit WHERE h / 103 %% 50 = 0;

INSERT INTO records.business_key (number, kind, facility, id, patient_id)
SELECT number, 'encounter', f, e::uuid, p FROM visit
UNION ALL SELECT order_number, 'order', f, o::uuid, p FROM ordered
UNION ALL SELECT report_number, kind || '_report', f, r::uuid, p FROM reported
UNION ALL SELECT 'C' || n || '-' || k, 'charge', f, md5('charge' || n || '-' || k)::uuid, p
            FROM visit CROSS JOIN LATERAL generate_series(1, 3 + (h / 83 %% 3)::int) AS k
UNION ALL SELECT 'D' || n, 'document', f, md5('document' || n)::uuid, p FROM visit WHERE h / 89 %% 10 < 3
UNION ALL SELECT 'A' || n, 'appointment', f, md5('appointment' || n)::uuid, p FROM visit WHERE h / 97 %% 5 = 0
UNION ALL SELECT 'S' || n, 'procedure', f, md5('procedure' || n)::uuid, p FROM visit WHERE h / 101 %% 20 = 0
UNION ALL SELECT 'AL' || n, 'allergy', f, md5('allergy' || n)::uuid, p FROM visit WHERE h / 103 %% 50 = 0;

-- Of eight visits in a hundred a document that a campus registered (ITI-42).
CREATE TEMP TABLE registered ON COMMIT DROP AS
SELECT n, p, v.at, md5('set' || n)::uuid AS s, md5('entry' || n)::uuid AS d, md5('member' || n)::uuid AS m,
       l.person_id || '^^^&1.2.156.10011.99.0&ISO' AS who, jsonb_build_object('number', l.person_id, 'authority', '1.2.156.10011.99.0') AS whose
  FROM visit v JOIN identity.link l ON l.source_patient_id = p WHERE h / 107 %% 100 < 8;

INSERT INTO documents.submission_set (id, unique_id, patient_id, submitted_patient, status, source_id, submission_time, content_type_code,
                                      author_persons, metadata, registered_at, registered_by, organisation)
SELECT s, '1.2.156.10011.99.2.8.' || n, p, who, 'approved', '1.2.156.10011.99.2', at, %(content_type)s, %(authors)s::text[],
       %(set)s::jsonb || jsonb_build_object('entry_uuid', 'urn:uuid:' || s, 'unique_id', '1.2.156.10011.99.2.8.' || n, 'patient_id', whose),
       at, 'system.huangpu', 'HP'
  FROM registered;

INSERT INTO documents.entry (id, unique_id, patient_id, submitted_patient, status, object_type, class_code, type_code, format_code,
                             facility_type_code, practice_setting_code, confidentiality_codes, event_codes, reference_ids, author_persons,
                             creation_time, repository_unique_id, hash, size, submission_set_id, metadata, registered_at, registered_by, organisation)
SELECT d, '1.2.156.10011.99.2.7.' || n, p, who, 'approved', 'stable', %(class)s, %(type)s, %(format)s, %(facility_type)s, %(practice)s,
       %(confidentiality)s::text[], '{}', '{}', %(authors)s::text[], at, '1.2.156.10011.99.0.1', 'da39a3ee5e6b4b0d3255bfef95601890afd80709', 4096, s,
       %(entry)s::jsonb || jsonb_build_object('entry_uuid', 'urn:uuid:' || d, 'unique_id', '1.2.156.10011.99.2.7.' || n, 'patient_id', whose),
       at, 'system.huangpu', 'HP'
  FROM registered;

INSERT INTO documents.association (id, type, source, target, status, submission_set_id, metadata)
SELECT m, 'urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember', s, d, 'approved', s,
       %(member)s::jsonb || jsonb_build_object('entry_uuid', 'urn:uuid:' || m, 'source', 'urn:uuid:' || s, 'target', 'urn:uuid:' || d)
  FROM registered;

INSERT INTO public.bench_made (visit, records)
SELECT %(first)s, (SELECT count(*) * 1 FROM visit) + (SELECT sum(1 + h / 41 %% 2 + 3 + h / 83 %% 3 + (h / 89 %% 10 < 3)::int + (h / 97 %% 5 = 0)::int
                  + (h / 101 %% 20 = 0)::int + (h / 103 %% 50 = 0)::int) FROM visit)
       + (SELECT count(*) FROM ordered) + (SELECT count(*) FROM reported) + (SELECT coalesce(sum(4 + h / 67 %% 17), 0) FROM reported WHERE kind = 'lab');
