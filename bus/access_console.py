"""`yilian access show|permit|revoke`: permissions that are given by name."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence

import sqlalchemy as sa

from bus.terminal import show_json, takes_json, with_database, write
from consortium.access import permissions
from consortium.access.model import Permission
from runtime.words import words


def access_main(argv: Sequence[str]) -> int:
    """Run `access …`; returns 0, 1 when it cannot be done, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _run(engine, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian access", description=words("Permissions given by name.", "按姓名授予的权限。")
    )
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "show": words("what a user was given", "查看用户的权限"),
        "permit": words("give a permission; audited", "授予权限（记入审计）"),
        "revoke": words("take it back; audited", "收回权限（记入审计）"),
    }
    for name, help_ in helps.items():
        command = commands.add_parser(name, help=help_)
        command.add_argument("username", help=words("as in access.account", "用户名"))
        if name == "show":
            takes_json(command)
            continue
        command.add_argument("permission", choices=[one.value for one in Permission])
        command.add_argument("--why", required=True, help=words("for the audit", "原因，记入审计"))
        command.add_argument(
            "--by",
            default=getpass.getuser(),
            help=words("who does it; your login name", "操作人，默认为登录名"),
        )
    return parser


def _run(engine: sa.Engine, options: argparse.Namespace) -> int:
    if options.command == "show":
        return _show(engine, options)
    give = options.command == "permit"
    with engine.begin() as connection:
        changed = permissions.change(
            connection,
            options.username,
            Permission(options.permission),
            give=give,
            by=options.by,
            why=options.why,
        )
    if not changed:
        write(words("it was so already", "无需更改"))
        return 0
    who, what = options.username, options.permission
    if give:
        write(words(f"{who} has {what} now", f"已授予 {who} 权限 {what}"))
    else:
        write(words(f"{who} has {what} no more", f"已收回 {who} 的权限 {what}"))
    return 0


def _show(engine: sa.Engine, options: argparse.Namespace) -> int:
    with engine.connect() as connection:
        held = sorted(one.value for one in permissions.held(connection, options.username))
    if options.json:
        return show_json({"username": options.username, "permissions": held})
    write("\n".join(held) or words("none", "无"))
    return 0
