"""Finding documents by their text: common and rare words across patients, and of one patient.

The store is generated: the real schema, an index of synthetic documents of 300 to 600 characters, written as
the indexer writes it. The control is the same page of documents by primary key.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from bench import searching
from bench.engines import CHECKOUT, database, emptied
from bench.result import Result
from bench.searching import Searched
from consortium.documents.fulltext import Scope, search
from consortium.documents.phrases import folded, tokens, units

BEGAN = datetime(2021, 1, 1, tzinfo=UTC)
OF_A_PATIENT = 10
"""Documents."""
COMMON = {"高血压": 0.3, "2型糖尿病": 0.2, "冠状动脉粥样硬化性心脏病": 0.1, "慢性阻塞性肺疾病": 0.05}
"""Diagnoses by the share of documents that have them."""
RARE = ("嗜铬细胞瘤", "马凡综合征", "肝豆状核变性", "抗磷脂综合征", "Takayasu动脉炎")
"""One in two thousand."""
SENTENCES = (
    "患者因反复胸闷气促{n}天入院，无发热咳嗽。",
    "查体：神志清楚，双肺呼吸音清，心率{n}次/分，律齐，各瓣膜区未闻及病理性杂音。",
    "CT胸部平扫示右肺上叶结节，直径约{n}mm，建议{n}月后复查。",
    "血常规示白细胞{n}×10^9/L，中性粒细胞百分比正常范围。",
    "肝肾功能、电解质未见明显异常，肌酐{n}μmol/L。",
    "予以阿司匹林肠溶片{n}mg每日一次口服，阿托伐他汀钙片每晚一次。",
    "心脏彩超提示左室舒张功能减退，射血分数{n}%。",
    "术后恢复顺利，切口愈合良好，{n}天拆线，嘱门诊随诊。",
    "否认药物过敏史，否认手术外伤史，吸烟{n}年。",
    "出院后注意休息，低盐低脂饮食，监测血压，{n}周后复诊。",
    "上腹部MRI增强扫描未见明显占位，胆囊多发结石，最大约{n}mm。",
    "家属知情同意，签字为证，病程第{n}天病情平稳。",
)
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚珅𠮷"
_COLUMNS = "document_id, source, patient_id, facility, at, sha256, problem, indexed_at, text, folded, tokens"
_PEOPLE = """
INSERT INTO identity.person (id, changed_at)
SELECT md5('person ' || n)::uuid, now() FROM generate_series(1, %(people)s) n;
"""
_NUMBERS = """
INSERT INTO identity.source_patient (id, facility, number, version, message_id, changed_at)
SELECT n, (ARRAY['MAIN', 'HP', 'HY'])[n %% 3 + 1], 'P' || n, 1, 1, now() FROM generate_series(1, %(people)s) n
"""
_LINKS = """
INSERT INTO identity.link (source_patient_id, person_id, origin, rule, rule_version, at)
SELECT n, md5('person ' || n)::uuid, 'automatic', 'bench', 1, now() FROM generate_series(1, %(people)s) n
"""
_RECORDS = """
INSERT INTO records.document (id, patient_id, facility, number, type_code, title, status, mime_type,
  content_sha256, at, deleted, version, message_id, changed_at)
SELECT document_id, patient_id, facility, document_id::text, 'C0053', '出院小结', 'current', 'text/plain',
       sha256, at, false, 1, 1, now() FROM documents.text
"""
_BY_KEY = "SELECT document_id, at, text FROM documents.text WHERE document_id = ANY(%(ids)s)"
_SIZES = """
SELECT pg_size_pretty(pg_total_relation_size('documents.text')),
       pg_size_pretty(pg_relation_size('documents.text_tokens'))
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--documents", type=int, default=200_000, help="in the index")
    parser.add_argument("--searches", type=int, default=40, help="of each kind")
    parser.add_argument("--server", default="", help="URL of a PostgreSQL superuser; empty: one of our own")


def kinds(rng: random.Random, people: int) -> Mapping[str, tuple[str, Scope]]:
    """Return one search of each kind."""
    one = Scope(uuid.UUID(hashlib.md5(f"person {rng.randint(1, people)}".encode()).hexdigest()))  # noqa: S324 - as the table was filled
    everybody = Scope()
    name = rng.choice(SURNAMES) + rng.choice(GIVEN) + rng.choice(GIVEN)
    return {
        "in every document (患者)": ("患者", everybody),
        "common (高血压)": ("高血压", everybody),
        "common, of a campus": ("高血压", Scope(facility=rng.choice(("MAIN", "HP", "HY")))),
        "common, long": ("冠状动脉粥样硬化性心脏病", everybody),
        "two common terms": ("高血压 糖尿病", everybody),
        "common and rare": (f"高血压 {rng.choice(RARE)}", everybody),
        "rare": (rng.choice(RARE), everybody),
        "a name": (name, everybody),
        "one character (瘤)": ("瘤", everybody),
        "Latin and Chinese (CT胸部)": ("CT胸部", everybody),
        "a sentence": ("心脏彩超提示左室舒张功能减退", everybody),
        "nothing there": ("无此病症名称", everybody),
        "of a patient, common": ("高血压", one),
        "of a patient, two terms": ("患者 血压", one),
    }


@dataclass(slots=True)
class Measured(Searched):
    """How many were found, too."""

    total: list[int] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """See `Searched`."""
        return {**Searched.told(self), "found_at_most": max(self.total)}


def measure(args: argparse.Namespace) -> Result:
    """Fill an index and search it in every way."""
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user below it
        server = args.server
        if not server:
            from runtime.services.postgres import ephemeral

            server = stack.enter_context(ephemeral(Path(folder)))
        name = f"documents_{os.getpid()}"
        stack.enter_context(emptied(server, name))
        url = database(server, name)
        people = max(1, args.documents // OF_A_PATIENT)
        sizes = _fill(url, args.documents, people)
        engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
        stack.callback(engine.dispose)
        return _result(_measured(engine, args.searches, people), args, server, sizes)


def written(rng: random.Random) -> str:
    """Return the text of a document."""
    name = rng.choice(SURNAMES) + rng.choice(GIVEN) + rng.choice(GIVEN)
    ill = [diagnosis for diagnosis, share in COMMON.items() if rng.random() < share]
    ill += [rng.choice(RARE)] if rng.random() < 1 / 2000 else []
    said = [each.format(n=rng.randint(1, 200)) for each in rng.sample(SENTENCES, rng.randint(7, 12))]
    return f"出院小结\n患者{name}，{rng.randint(1, 99)}岁。\n诊断：{'、'.join(ill) or '待查'}。\n" + "".join(
        said
    )


def _fill(url: str, documents: int, people: int) -> tuple[str, str]:
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
        built = connection.execute("SELECT pg_get_indexdef('documents.text_tokens'::regclass)").fetchone()
        connection.execute("DROP INDEX documents.text_tokens")
        for statement in (_PEOPLE, _NUMBERS, _LINKS):
            connection.execute(statement, {"people": people})
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY documents.text ({_COLUMNS}) FROM STDIN") as copy,
        ):
            for row in _rows(documents, people):
                copy.write_row(row)
        connection.execute(_RECORDS)
        connection.execute("TRUNCATE documents.text_pending")
        assert built is not None  # noqa: S101 - the migration made it
        connection.execute(built[0])
        connection.execute("VACUUM ANALYZE")
        sizes = connection.execute(_SIZES).fetchone()
    assert sizes is not None  # noqa: S101 - a SELECT without FROM has a row
    return sizes[0], sizes[1]


def _rows(documents: int, people: int) -> Iterator[tuple[Any, ...]]:
    rng = random.Random(5)
    for number in range(documents):
        patient, text = number % people + 1, written(rng)
        found = list(units(text))
        at = BEGAN + timedelta(minutes=rng.randrange(5 * 365 * 24 * 60))
        id_ = uuid.UUID(int=rng.getrandbits(128), version=4)
        digest = hashlib.sha256(text.encode()).digest()
        campus = ("MAIN", "HP", "HY")[patient % 3]
        yield (
            id_,
            "recorded",
            patient,
            campus,
            at,
            digest,
            None,
            BEGAN,
            text,
            folded(found),
            tokens(found),
        )


def _measured(engine: sa.Engine, searches: int, people: int) -> Mapping[str, Measured]:
    rng, measured = random.Random(7), dict[str, Measured]()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(searches):
            for kind, (text, scope) in kinds(rng, people).items():
                one = measured.setdefault(kind, Measured())
                began = time.perf_counter()
                found = search(connection, text, scope)
                one.ours.append(time.perf_counter() - began)
                one.total.append(found.total or 0)
                began = time.perf_counter()
                connection.exec_driver_sql(_BY_KEY, {"ids": [hit.id for hit in found.hits]}).all()
                one.control.append(time.perf_counter() - began)
    return measured


def _result(
    measured: Mapping[str, Measured], args: argparse.Namespace, server: str, sizes: tuple[str, str]
) -> Result:
    conditions = {
        "documents": args.documents,
        "searches_of_each_kind": args.searches,
        "page": 20,
        "index_size": sizes[0],
        "of_it_tokens": sizes[1],
        "load": round(os.getloadavg()[0], 1),
    }
    return searching.result("documents", measured, server, conditions)
