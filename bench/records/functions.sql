-- What the generated numbers and ids are made of, the same in every session.
CREATE FUNCTION pg_temp.campus(p bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN h < 850 THEN 'MAIN' WHEN h < 921 THEN 'HP' ELSE 'HY' END
    FROM (SELECT (hashint8extended(p, 7) & 9223372036854775807) % 933 AS h) AS x $$;

CREATE FUNCTION pg_temp.person(p bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT md5('person' || p)::uuid $$;

CREATE FUNCTION pg_temp.child(parent text, part text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (left(parent, 16) || left(md5(parent || part), 16))::uuid $$;

CREATE FUNCTION pg_temp.content(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT '<ClinicalDocument>' || n || repeat('患者病情平稳，予出院。', 40) || '</ClinicalDocument>' $$;
