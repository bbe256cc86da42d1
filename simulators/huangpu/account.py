"""Huangpu's system account: signs in once, and again when its token has run out."""

from __future__ import annotations

import httpx

from simulators.delivery import SimulatorError

USER = "system.huangpu"


class Account:
    """Signs requests to the platform's HTTP faces."""

    def __init__(self, api: str, password: str, user: str = USER) -> None:
        self.api = api
        """Origin of the platform's API: http://host:port."""
        self._user = user
        self._password = password
        self._token = ""

    def token(self) -> str:
        """Return the bearer token. Raises SimulatorError when the account may not sign in."""
        if not self._token:
            self._token = self._sign_in()
        return self._token

    def forget(self) -> None:
        """Forget the token, which was refused; the next request signs in again."""
        self._token = ""

    def _sign_in(self) -> str:
        where = f"{self.api}/api/v1/sign-in"
        try:
            answer = httpx.post(where, json={"username": self._user, "password": self._password}, timeout=30)
        except httpx.TransportError as error:
            raise SimulatorError(
                f"{where} is out of reach ({type(error).__name__}); is the api up?"
            ) from error
        if answer.status_code != httpx.codes.OK:
            raise SimulatorError(
                f"{self._user} may not sign in at {where}: HTTP {answer.status_code};"
                " sample users are made by ./yilian up"
            )
        return str(answer.json()["access_token"])
