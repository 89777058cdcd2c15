"""What a client did wrong, as the API answers it: {"code", "type", "message"}."""


class ClientError(Exception):
    """A request that cannot be answered. `message` names the value and what is accepted instead."""

    def __init__(self, code: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind
        self.message = message

    def within(self, place: str) -> "ClientError":
        """The same error, saying where in the request: `instances[3].image: ...`."""
        return ClientError(self.code, self.kind, f"{place}: {self.message}")

    def as_dict(self) -> dict[str, int | str]:
        return {"code": self.code, "type": self.kind, "message": self.message}


def quote_beginning(text: str) -> str:
    """The beginning of a client's text, safe to show: a message must not carry a whole drawing."""
    return ascii(text if len(text) <= 24 else text[:24] + "...")
