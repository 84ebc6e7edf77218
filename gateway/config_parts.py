"""What every part of `admit.yaml` is made of: frozen, no unknown keys; and secrets, which are named, never written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationInfo

from providers.errors import AccessRefused


class Part(BaseModel):
    """One block of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretFile(SecretStr):
    """A secret as it lay in its file when the configuration was read; `current` is what lies there now."""

    def __init__(self, path: Path) -> None:
        super().__init__(_content(path))
        self.path = path

    def current(self) -> str:
        """Raises AccessRefused where it cannot be read any more."""
        try:
            return _content(self.path)
        except (OSError, UnicodeDecodeError) as problem:
            raise AccessRefused(f"the secret in {self.path} cannot be read: {problem}", advice=f"put it into {self.path}") from problem


def current(secret: SecretStr) -> str:
    """What the secret is now: one in a file may have been replaced since. Raises AccessRefused."""
    return secret.current() if isinstance(secret, SecretFile) else secret.get_secret_value()


def secret_text(value: object, info: ValidationInfo) -> SecretStr:
    """`env:NAME` or `file:PATH` → what it names. A path is relative to the folder of the configuration (`in_folder`)."""
    if isinstance(value, SecretStr):
        return value
    kind, _, where = str(value).partition(":")
    match kind:
        case "env":
            if not os.environ.get(where):
                raise ValueError(f"the environment variable {where} is not set")
            return SecretStr(os.environ[where])
        case "file":
            try:
                return SecretFile(_folder(info) / where)
            except OSError as problem:
                raise ValueError(f"the file {where} cannot be read: {problem.strerror}") from problem
        case _:
            raise ValueError("expected env:NAME or file:PATH; a secret itself does not belong in this file")


Secret = Annotated[SecretStr, BeforeValidator(secret_text)]


def in_folder(folder: Path) -> dict[str, Path]:
    """The context to validate a configuration in that lies in this folder."""
    return {"folder": folder}


def _folder(info: ValidationInfo) -> Path:
    folder: Path = info.context["folder"] if info.context else Path()
    return folder


def _content(path: Path) -> str:
    return path.read_text().strip()
