"""What people read of states, steps, parties and needs, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from consortium.referral.model import Need, Party, State, Step, Words

STATES: Mapping[State, Words] = {
    State.DRAFT: Words("draft", "草稿"),
    State.SUBMITTED: Words("submitted", "已提交"),
    State.UNDER_REVIEW: Words("under review", "审核中"),
    State.RETURNED_FOR_INFO: Words("returned for information", "退回补充资料"),
    State.REJECTED: Words("rejected", "已拒绝"),
    State.REFERRED_ONWARD: Words("referred onward", "已转荐他院"),
    State.ACCEPTED: Words("accepted", "已接收"),
    State.AWAITING_SLOT: Words("awaiting a clinic slot or bed", "等待号源或床位"),
    State.BOOKED: Words("booked", "已预约"),
    State.RESCHEDULED: Words("rescheduled", "已改期"),
    State.NO_SHOW: Words("the patient did not come", "患者未到"),
    State.ARRIVED: Words("arrived", "已到院"),
    State.IN_CARE: Words("in care", "诊疗中"),
    State.INTERIM_REPORTED: Words("interim report sent", "已回报进展"),
    State.OUTCOME_RETURNED: Words("outcome returned", "已回传结果"),
    State.CLOSED: Words("closed", "已结案"),
    State.CANCEL_REQUESTED: Words("cancellation requested", "申请取消"),
    State.CANCELLED: Words("cancelled", "已取消"),
    State.EXPIRED: Words("expired", "已过期"),
}
STEPS: Mapping[Step, Words] = {
    Step.APPROVE: Words("approve in one's own hospital", "院内审批"),
    Step.SUBMIT: Words("submit", "提交"),
    Step.DISCARD: Words("discard the draft", "作废草稿"),
    Step.TAKE: Words("take up for review", "受理"),
    Step.RETURN_FOR_INFO: Words("return for information", "退回补充"),
    Step.REJECT: Words("reject", "拒绝"),
    Step.REFER_ONWARD: Words("refer onward", "转荐他院"),
    Step.ACCEPT: Words("accept", "接收"),
    Step.AWAIT_SLOT: Words("put on the waiting list", "列入候补"),
    Step.BOOK: Words("book", "预约"),
    Step.CONFIRM: Words("confirm the time", "确认时间"),
    Step.DECLINE: Words("decline the time", "谢绝该时间"),
    Step.RESCHEDULE: Words("move to another time", "改期"),
    Step.MISS: Words("note that the patient did not come", "登记未到"),
    Step.ARRIVE: Words("note the arrival", "登记到院"),
    Step.BEGIN_CARE: Words("begin care", "开始诊疗"),
    Step.REPORT_INTERIM: Words("send an interim report", "回报进展"),
    Step.RETURN_OUTCOME: Words("return the outcome", "回传结果"),
    Step.CLOSE: Words("close", "结案"),
    Step.REQUEST_CANCEL: Words("ask for cancellation", "申请取消"),
    Step.CONFIRM_CANCEL: Words("agree to the cancellation", "同意取消"),
    Step.DECLINE_CANCEL: Words("refuse the cancellation", "不同意取消"),
    Step.WITHDRAW_CANCEL: Words("take the cancellation back", "撤回取消申请"),
    Step.EXPIRE: Words("let it expire", "过期"),
    Step.REOPEN: Words("reopen", "重新开启"),
    Step.DELEGATE: Words("delegate", "委派"),
    Step.ESCALATE: Words("escalate", "升级"),
}
PARTIES: Mapping[Party, Words] = {
    Party.SENDING_DOCTOR: Words("doctor of the sending hospital", "转出医院医生"),
    Party.SENDING_COORDINATOR: Words("coordinator of the sending hospital", "转出医院转诊管理人员"),
    Party.RECEIVING_DOCTOR: Words("doctor of the receiving hospital", "接收医院医生"),
    Party.RECEIVING_COORDINATOR: Words("coordinator of the receiving hospital", "接收医院转诊管理人员"),
    Party.PATIENT: Words("patient", "患者"),
    Party.SYSTEM: Words("system", "系统"),
}
NEEDS: Mapping[Need, Words] = {
    Need.NOTE: Words("a note that says why", "说明原因"),
    Need.FORM: Words("a complete form", "完整的转诊单"),
    Need.CRITERION: Words("a criterion of referral", "转诊指征"),
    Need.CONSENT: Words("the patient's consent", "患者知情同意"),
    Need.APPROVAL: Words("the approval of one's own hospital", "本院审批"),
    Need.DEPARTMENT: Words("the department that receives", "接收科室"),
    Need.SLOT: Words("a booked time", "预约时间"),
    Need.HOSPITAL: Words("the hospital to go to", "转荐医院"),
    Need.DELEGATE: Words("the username of who takes over", "接手人员"),
}
