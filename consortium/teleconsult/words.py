"""What people read of kinds, states, steps, parties and needs, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from consortium.referral.model import Words
from consortium.teleconsult.model import Kind, Need, Party, State, Step

KINDS: Mapping[Kind, Words] = {
    Kind.VIDEO: Words("video consultation", "视频会诊"),
    Kind.IMAGING: Words("imaging diagnosis", "影像诊断"),
    Kind.RECORD: Words("diagnosis by the record", "病历诊断"),
    Kind.ECG: Words("ECG diagnosis", "心电诊断"),
}
STATES: Mapping[State, Words] = {
    State.DRAFT: Words("draft", "草稿"),
    State.REQUESTED: Words("requested", "已申请"),
    State.RETURNED: Words("returned to be completed", "退回补充资料"),
    State.ACCEPTED: Words("accepted", "已受理"),
    State.SCHEDULED: Words("a time is held", "已预留时间"),
    State.CONFIRMED: Words("the time is confirmed", "时间已确认"),
    State.IN_SESSION: Words("in session", "会诊中"),
    State.OPINION_DRAFT: Words("the opinion is being written", "意见书写中"),
    State.SIGNED: Words("the opinion is signed", "意见已签发"),
    State.CLOSED: Words("closed", "已结案"),
    State.DECLINED: Words("declined", "已谢绝"),
    State.CANCELLED: Words("cancelled", "已取消"),
    State.EXPIRED: Words("expired", "已过期"),
    State.NO_SHOW: Words("it did not take place", "未如期进行"),
}
STEPS: Mapping[Step, Words] = {
    Step.SUBMIT: Words("submit", "提交申请"),
    Step.DISCARD: Words("discard the draft", "作废草稿"),
    Step.RETURN: Words("return it to be completed", "退回补充"),
    Step.DECLINE: Words("decline", "谢绝"),
    Step.ASSIGN: Words("assign experts or a department", "指派专家或科室"),
    Step.CLAIM: Words("take it on oneself", "认领"),
    Step.SUBSTITUTE: Words("assign other experts", "更换专家"),
    Step.SCHEDULE: Words("hold a time", "预留时间"),
    Step.RESCHEDULE: Words("move to another time", "改期"),
    Step.CONFIRM: Words("confirm the time", "确认时间"),
    Step.REFUSE_TIME: Words("refuse the time", "谢绝该时间"),
    Step.BEGIN: Words("begin the session", "开始会诊"),
    Step.MISS: Words("note that it did not take place", "登记未如期进行"),
    Step.END_SESSION: Words("end the session", "结束会诊"),
    Step.WRITE: Words("write the opinion", "书写意见"),
    Step.SIGN: Words("sign the opinion", "签发意见"),
    Step.EVALUATE: Words("evaluate", "评价"),
    Step.CHARGE: Words("record the fee", "登记费用"),
    Step.CLOSE: Words("close", "结案"),
    Step.CANCEL: Words("cancel", "取消"),
    Step.EXPIRE: Words("let it expire", "过期"),
    Step.ESCALATE: Words("escalate", "升级"),
}
PARTIES: Mapping[Party, Words] = {
    Party.REQUESTING_DOCTOR: Words("doctor of the requesting hospital", "申请医院医生"),
    Party.REQUESTING_COORDINATOR: Words("coordinator of the requesting hospital", "申请医院协调员"),
    Party.EXPERT: Words("assigned expert", "受邀专家"),
    Party.CONSULTING_DOCTOR: Words("doctor of the consulting hospital", "会诊医院医生"),
    Party.CONSULTING_COORDINATOR: Words("coordinator of the consulting hospital", "会诊医院协调员"),
    Party.PATIENT: Words("patient", "患者"),
    Party.SYSTEM: Words("system", "系统"),
}
NEEDS: Mapping[Need, Words] = {
    Need.NOTE: Words("a note", "说明"),
    Need.QUESTION: Words("the question to the experts", "会诊问题"),
    Need.CONSENT: Words("the patient's consent", "患者知情同意"),
    Need.MATERIAL: Words("a document to read, attached by reference", "供阅读的资料"),
    Need.EXPERT: Words("experts or a department", "专家或科室"),
    Need.UNASSIGNED: Words("that no expert is assigned yet", "尚未指派专家"),
    Need.SLOTS: Words("a slot of every expert, all at the same time", "每位专家同一时间的时段"),
    Need.LAST_WORD: Words("the confirmation of all others", "其他各方的确认"),
    Need.OPINION: Words("the text of the opinion", "意见内容"),
    Need.RATING: Words("a rating", "评分"),
    Need.FEE: Words("the fee", "费用"),
}
