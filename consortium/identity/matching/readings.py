"""How names are read: surnames that are read otherwise than the same character elsewhere, and characters of
given names that people read in two ways.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, product
from types import MappingProxyType

from pypinyin import Style, pinyin

MOST = 16
"""Readings kept of one name."""


def _table(text: str) -> MappingProxyType[str, tuple[str, ...]]:
    pairs = (entry.split(" ", 1) for entry in text.strip().splitlines())
    return MappingProxyType({name: tuple(readings.split("/")) for name, readings in pairs})


SURNAMES = _table("""
单 shan/dan
曾 zeng
仇 qiu/chou
解 xie/jie
区 ou/qu
查 zha/cha
盖 ge/gai
华 hua
任 ren
朴 piao/pu
员 yun/yuan
贠 yun
乐 yue/le
翟 zhai/di
柏 bai/bo
种 chong/zhong
费 fei/bi
黑 he/hei
缪 miao/mou
牟 mou/mu
乜 nie
能 nai/neng
繁 po/fan
秘 bi/mi
祭 zhai/ji
覃 qin/tan
召 shao/zhao
折 she/zhe
佘 she
莘 shen/xin
隗 wei/kui
洗 xian/xi
冼 xian
省 xing/sheng
幺 yao
么 yao
应 ying
於 yu
尉 wei/yu
仉 zhang
訾 zi
车 che
谌 chen/shen
郇 xun/huan
薄 bo
宿 su
吕 lv
闵 min
逄 pang
瞿 qu
阙 que
撒 sa
盛 sheng
相 xiang
燕 yan
郗 xi/chi
郄 qie/xi
晁 chao
卜 bu
过 guo
哈 ha
那 na
纪 ji
宓 mi/fu
尹 yin
曲 qu
沈 shen
石 shi
叶 ye
占 zhan
干 gan
葛 ge
强 qiang
俞 yu
行 xing/heng
降 xiang/jiang
长 chang/zhang
重 chong/zhong
藏 zang/cang
臧 zang
粘 nian/zhan
适 kuo/shi
都 du
炔 gui
令 ling
尉迟 yuchi/weichi
万俟 moqi/wansi
长孙 zhangsun/changsun
澹台 tantai/dantai
单于 chanyu/shanyu
令狐 linghu
""")
"""Surnames by how they are read, first the usual way."""

_COMPOUND = """
欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 濮阳 公冶
太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良
漆雕 乐正 宰父 谷梁 拓跋 夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌 微生 公户 公玉 公仪 梁丘 公仲
公上 公门 公山 左丘 西门 第五 贺兰 完颜 纳兰 叶赫 耶律 单于 淳于 哥舒 叱干 达奚 侯莫陈 爱新觉罗
叶赫那拉
"""
COMPOUND = frozenset(_COMPOUND.split())
"""Compound surnames (复姓): several characters that are one family name, folded. Nobody else lists them."""
DOUBTFUL = frozenset({"乐正", "叶赫", "梁丘", "段干", "谷梁", "贺兰"})
"""Of those, what may as well be a surname of one character and the first of a given name (贺兰英). Matching
does not mind, as it parts both sides alike; who is shown or looked for by family name is parted as usual.
"""

GIVEN = _table("""
乐 le/yue
行 xing/hang
长 chang/zhang
朝 chao/zhao
重 zhong/chong
曾 zeng/ceng
茜 qian/xi
莎 sha/suo
娜 na/nuo
晟 sheng/cheng
柏 bo/bai
传 chuan/zhuan
觉 jue/jiao
恪 ke/que
阿 a/e
盛 sheng/cheng
箐 qing/jing
颉 xie/jie
拓 tuo/ta
露 lu/lou
靓 jing/liang
倞 jing/liang
蔓 man/wan
奇 qi/ji
仔 zai/zi
调 tiao/diao
藏 cang/zang
单 dan/shan
解 jie/xie
洗 xi/xian
适 shi/kuo
祭 ji/zhai
粘 nian/zhan
澄 cheng/deng
薄 bo/bao
率 shuai/lv
弹 dan/tan
降 jiang/xiang
参 can/shen
琢 zhuo/zuo
禅 chan/shan
鲜 xian
逯 lu
""")
"""Characters of given names that are read in two ways."""


def surname_length(folded: str) -> int:
    """Return how many characters of a folded name are its surname; something is left for the given name."""
    for length in (4, 3, 2):
        if len(folded) > length and folded[:length] in COMPOUND:
            return length
    return 1


def surname(text: str) -> tuple[str, ...]:
    """Return the readings of a folded surname, first the usual one."""
    known = SURNAMES.get(text)
    return known if known is not None else ("".join(_usual(c) for c in text),)


def given(text: str) -> tuple[str, ...]:
    """Return the readings of the rest of a folded name, first the usual one."""
    ways = product(*(GIVEN.get(c) or (_usual(c),) for c in text))
    return tuple("".join(way) for way in islice(ways, MOST))


@lru_cache(maxsize=8192)
def _usual(character: str) -> str:
    """Return how a character is mostly read; one that is no Chinese character reads as itself."""
    return pinyin(character, style=Style.NORMAL, errors="default")[0][0]
