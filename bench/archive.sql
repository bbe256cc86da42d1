-- A stored archive of messages: three campuses in the ratio of the consortium, a year from the first to the last,
-- most recorded, some held; bodies of the newest alone.
INSERT INTO bus.inbox (id, received_at, facility, sender, control_id, message_type, protocol, endpoint, charset,
                       patient_number, visit_number, message_time, digest, size)
OVERRIDING SYSTEM VALUE
SELECT n, timestamptz '2026-01-01' + n * (interval '365 days' / %(rows)s), f.code,
       (ARRAY['HIS', 'LIS', 'RIS', 'EMR'])[1 + h %% 4], 'C' || n,
       (ARRAY['ORU^R01', 'ORM^O01', 'ADT^A08', 'ORU^R01', 'ADT^A04', 'DFT^P03', 'MDM^T02', 'ADT^A31', 'ADT^A01',
              'SIU^S12'])[1 + h / 4 %% 10],
       'mllp', 'mllp', 'gb18030', 'P' || abs(hashint8(n %% 100000 + n / 40)) %% (%(rows)s / 20 + 1), 'V' || n / 5,
       '20260101083000', decode(md5(n::text) || md5(n::text), 'hex'), 1216
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
 CROSS JOIN LATERAL (SELECT abs(hashint8(n)) AS h) AS x
 CROSS JOIN LATERAL (SELECT CASE WHEN h %% 933 < 850 THEN 'MAIN' WHEN h %% 933 < 921 THEN 'HP' ELSE 'HY' END AS code) AS f;

INSERT INTO bus.trace (message_id, at, step, detail)
SELECT id, received_at + interval '1 second', 'recorded',
       jsonb_build_object('rule', lower(facility) || '-' || lower(replace(message_type, '^', '-')))
  FROM bus.inbox WHERE id BETWEEN %(first)s AND %(last)s AND id %% 1000 <> 0;

INSERT INTO bus.numbered (number, message_id)
SELECT 'R' || id / 2, id
  FROM bus.inbox WHERE id BETWEEN %(first)s AND %(last)s AND message_type IN ('ORU^R01', 'ORM^O01', 'MDM^T02', 'DFT^P03');

INSERT INTO bus.work (id, patient_key, state)
SELECT id, id, CASE WHEN id %% 5000 = 0 THEN 2 WHEN id %% 3000 = 0 THEN 0 ELSE 1 END
  FROM bus.inbox WHERE id BETWEEN %(first)s AND %(last)s AND id %% 1000 = 0;

INSERT INTO bus.held (message_id, code, reason, rule)
SELECT w.id, (ARRAY['unmapped_code', 'no_rule', 'bad_field', 'impossible_date'])[(1 + w.id / 1000 %% 4)::int],
       'generated for a benchmark', 'main-adt-a08'
  FROM bus.work w WHERE w.state = 1 AND w.id BETWEEN %(first)s AND %(last)s;

SELECT bus.make_body_day(day) FROM (
  SELECT DISTINCT (received_at AT TIME ZONE 'Asia/Shanghai')::date AS day
    FROM bus.inbox WHERE id BETWEEN %(first)s AND %(last)s AND id > %(rows)s::bigint - %(bodies)s) AS days;

INSERT INTO bus.body (id, received_at, body)
SELECT id, received_at, convert_to('MSH' || repeat(md5(id::text) || E'|\r', 36), 'UTF8')
  FROM bus.inbox WHERE id BETWEEN %(first)s AND %(last)s AND id > %(rows)s::bigint - %(bodies)s;
