-- Source patients %(first)s to %(last)s of %(patients)s, their people and links: by campus as the consortium's records are
-- (85 to 7.1 to 1.2), and of the smaller campuses' patients four in ten known at the main campus, too.
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT p, h, facility, 'P' || lpad(p::text, 9, '0') AS number, born, sex, (names)[1 + h %% cardinality(names)] || CASE WHEN sex = 'female'
         THEN (%(female)s::text[])[1 + h / 1000 %% cardinality(%(female)s::text[])] || (%(female)s::text[])[1 + h / 90000 %% cardinality(%(female)s::text[])]
         ELSE (%(male)s::text[])[1 + h / 1000 %% cardinality(%(male)s::text[])] || (%(male)s::text[])[1 + h / 90000 %% cardinality(%(male)s::text[])] END AS name,
       'B' || p AS own, CASE WHEN facility <> 'MAIN' AND p > 1 AND h / 77 %% 10 < 4 AND pg_temp.campus(p - 1) = 'MAIN' THEN p - 1 ELSE p END AS person
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS p
 CROSS JOIN LATERAL (SELECT hashint8extended(p, 3) & 9223372036854775807 AS h) AS x
 CROSS JOIN LATERAL (SELECT pg_temp.campus(p) AS facility, date '1930-01-01' + (h / 7 %% 32000)::int AS born, %(surnames)s::text[] AS names,
                            CASE WHEN h / 3 %% 2 = 0 THEN 'female' ELSE 'male' END AS sex) AS y;

INSERT INTO identity.source_patient (id, facility, number, name, sex, birth_date, id_card, phone, address, card, name_key, version,
                                     message_id, changed_at)
SELECT p, facility, number, name, sex, born, card, '13' || lpad((h / 11 %% 1000000000)::text, 9, '0'),
       '广东省广州市天河区中山路' || h / 13 %% 900 || '号' || h / 17 %% 30 || '栋', card, name, 1, p, timestamptz '2010-01-01 08:00+08'
  FROM made CROSS JOIN LATERAL (SELECT (440100 + p / 1000 %% 90000)::text || to_char(born, 'YYYYMMDD') || lpad((p %% 1000)::text, 3, '0') || 'X' AS card) AS c;

INSERT INTO identity.person (id, name, sex, birth_date, id_card, phone, address, changed_at)
SELECT pg_temp.person(p), s.name, s.sex, s.birth_date, s.id_card, s.phone, s.address, s.changed_at
  FROM made JOIN identity.source_patient s ON s.id = p WHERE person = p;

INSERT INTO identity.link (source_patient_id, person_id, origin, rule, rule_version, at, message_id)
SELECT p, pg_temp.person(person), 'automatic', CASE WHEN person = p THEN 'own' ELSE 'card' END, 1, timestamptz '2010-01-01 08:00+08', p FROM made;

INSERT INTO identity.ledger (source_patient_id, to_person, origin, rule, rule_version, at, message_id)
SELECT p, pg_temp.person(person), 'automatic', CASE WHEN person = p THEN 'own' ELSE 'card' END, 1, timestamptz '2010-01-01 08:00+08', p FROM made;
