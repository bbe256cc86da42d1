"""Sentences for people about identity, in Chinese and English: why a pair is looked at, what speaks for and
against one person, why a value survives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence in both languages; it names no patient."""

    zh: str
    en: str


FIELDS: Mapping[str, Told] = {
    "name": Told("姓名", "name"),
    "sex": Told("性别", "sex"),
    "birth_date": Told("出生日期", "date of birth"),
    "id_card": Told("身份证号", "ID card"),
    "card": Told("身份证号", "ID card"),
    "phone": Told("电话", "phone"),
    "address": Told("地址", "address"),
    "deceased": Told("是否死亡", "deceased"),
    "vip": Told("贵宾或匿名", "VIP or anonymous"),
}
REASONS: Mapping[str, Told] = {
    "probable": Told("很可能是同一人，但证据不足以自动合并", "probably one person, but not surely"),
    "card_conflict": Told(
        "身份证号相同而姓名、出生日期不一致：证件可能是借用或父母的",
        "the same ID card with another name and birth date: it may be borrowed, or a parent's",
    ),
    "twin": Told(
        "同日出生、同一地址或电话而名字不同：可能是双胞胎",
        "born on one day, at one address or phone, by other given names: they may be twins",
    ),
    "placeholder": Told(
        "其中一方没有真实姓名（新生儿、无名氏或姓名被遮盖）",
        "one of them has no real name: newborn, unknown, or masked",
    ),
    "overlay": Told(
        "姓名与出生日期或身份证号同时改变：该患者编号可能被另一人占用",
        "name and date of birth or card changed at once: the number may be somebody else's now",
    ),
    "verdict_conflict": Told("与已有的人工裁定相矛盾", "it contradicts what a person decided"),
}
LEVELS: Mapping[tuple[str, str], Told] = {
    ("", "exact"): Told("一致", "is the same"),
    ("", "former"): Told("与对方以前的值一致", "is what the other side said earlier"),
    ("", "near"): Told("相近", "is nearly the same"),
    ("", "differs"): Told("不一致", "differs"),
    ("", "missing"): Told("有一方缺失", "is missing on one side"),
    ("name", "homophone"): Told("同音不同字", "is written otherwise and reads the same"),
    ("name", "near"): Told("只差一个字或拼写相近", "differs in one character, or in spelling"),
    ("name", "surname"): Told("只有姓或只有名一致", "has only the surname or only the given name in common"),
    ("birth_date", "typo"): Told("像是笔误或农历", "looks like a typing error, or the lunar year"),
    ("birth_date", "year"): Told("同年，其中一方只知道年份", "is the same year; one side knows no day"),
    ("card", "near"): Told("只差一位或相邻两位颠倒", "differs in one digit, or two are swapped"),
    ("card", "doubtful"): Told("一致，但与出生日期或性别矛盾", "is the same, but doubtful"),
    ("address", "near"): Told("相近", "is nearly the same"),
    ("address", "area"): Told("在同一区县", "is in the same district"),
}
PRIOR = Told("尚未比较时，任取两个编号", "before anything is compared, any two numbers")
CRITERIA: Mapping[str, Told] = {
    "only": Told("只有该编号提供了此项", "no other number says anything"),
    "agreed": Told("所有提供此项的编号都一致", "all that say something say the same"),
    "registered_first": Told("无法区分，取最早登记的编号", "nothing tells them apart; registered first"),
    "in_use": Told("编号仍在使用", "the number is still in use"),
    "real_name": Told("真实姓名优先于占位姓名", "a name goes before a placeholder"),
    "valid_card": Told("有效身份证号优先", "a valid ID card goes first"),
    "verified": Told("出示过与出生日期、性别相符的有效身份证", "shown with a valid, agreeing ID card"),
    "card_agrees": Told("与该编号的有效身份证一致", "the number's own valid ID card says so too"),
    "protected": Told("任一院区标记为贵宾即保护", "one campus says VIP, and that protects"),
    "specific": Told("明确的性别优先", "male and female go before other and unknown"),
    "well_formed": Told("号码完整者优先", "a whole phone number goes first"),
    "most_complete": Told("内容更完整", "the longer text goes first"),
    "trusted": Told("按院区可信次序", "by the order in which campuses are trusted"),
    "most_recent": Told("最近更新", "the campus that spoke last"),
}


def reason(code: str) -> Told:
    """Say why a pair is looked at."""
    return REASONS.get(code, Told(code, code))


def criterion(code: str | None) -> Told | None:
    """Say why a value is in the golden record; None: there is no value."""
    return None if code is None else CRITERIA.get(code, Told(code, code))


def evidence(one: Mapping[str, Any]) -> Told:
    """Say one step of the waterfall: what a field does to the weight (log2)."""
    field, level, weight = str(one["field"]), str(one["level"]), float(one["weight"])
    told = PRIOR if field == "prior" else _level(field, level)
    if round(weight, 1) == 0:
        return Told(f"{told.zh}，不计分", f"{told.en}, and weighs nothing")
    odds = _times(abs(weight))
    side_zh, side_en = ("支持", "for") if weight >= 0 else ("反对", "against")
    return Told(
        f"{told.zh}：{odds} 倍{side_zh}为同一人（{weight:+.1f}）",
        f"{told.en}: {odds} times {side_en} one person ({weight:+.1f})",
    )


def _level(field: str, level: str) -> Told:
    name = FIELDS.get(field, Told(field, field))
    says = LEVELS.get((field, level)) or LEVELS.get(("", level), Told(level, level))
    return Told(f"{name.zh}{says.zh}", f"{name.en} {says.en}")


def whole(weight: float | None) -> Told | None:
    """Say a whole weight; None: nothing was weighed."""
    if weight is None:
        return None
    odds = _times(abs(weight))
    if weight >= 0:
        return Told(f"合计：同一人的可能性为 {odds} 比 1", f"together: {odds} to 1 that they are one person")
    return Told(f"合计：不是同一人的可能性为 {odds} 比 1", f"together: {odds} to 1 that they are two people")


def _times(weight: float) -> str:
    """2 to the weight, as people read it."""
    times = 2.0 ** min(weight, 60)
    return f"{times:.1f}" if times < 10 else f"{times:,.0f}"
