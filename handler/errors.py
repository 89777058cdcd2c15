"""Errors of a client's request, as the API answers them: {"code", "type", "message"}."""


class ClientError(Exception):
    """A request that cannot be answered: `problem` names the value and what is wrong, `accepted` says what to send."""

    def __init__(self, code: int, kind: str, problem: str, accepted: str) -> None:
        self.message = f"{problem}. Accepted: {accepted}."
        super().__init__(self.message)
        self.code, self.kind, self.problem, self.accepted = code, kind, problem, accepted

    def within(self, place: str) -> "ClientError":
        """The same error with its place in the request: `instances[3].image: ...`."""
        return ClientError(self.code, self.kind, f"{place}: {self.problem}", self.accepted)

    def as_dict(self) -> dict[str, int | str]:
        return {"code": self.code, "type": self.kind, "message": self.message}


def quote_beginning(text: str) -> str:
    """The first 24 characters of a client's text in ASCII: a message must not contain a whole image."""
    return ascii(text if len(text) <= 24 else text[:24] + "...")
