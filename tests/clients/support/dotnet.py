"""Npgsql in this process: a .NET runtime laid out from npm packages, hosted by pythonnet.

One package (npm/package.json names them, with their versions) brings every assembly of .NET 9 and of
Npgsql 9 as loose files beside one another, another one Npgsql 8. .NET's host wants them in the layout
of an installed runtime, with files that list them; `lay_out` makes that, once, in
`.test-environment/dotnet`. A process has one Npgsql: PENSTOCK_NPGSQL says which, 9 or 8. Owns no
connection.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import shutil
import sys

RUNTIME_PACK = "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64"
FRAMEWORK = "Microsoft.NETCore.App"
RUNTIME_PACKAGE = "@azure/mcp-linux-x64/dist"
NPGSQL_PACKAGES = {"9": RUNTIME_PACKAGE, "8": "edge-sql/lib"}
NPGSQL_FILES = (
    "Npgsql.dll",
    "Microsoft.Extensions.Logging.Abstractions.dll",
    "Microsoft.Extensions.DependencyInjection.Abstractions.dll",
    "Microsoft.Bcl.AsyncInterfaces.dll",
)


def environment() -> pathlib.Path:
    given = os.environ.get("PENSTOCK_TEST_ENVIRONMENT")
    root = pathlib.Path(__file__).resolve().parents[3]
    return pathlib.Path(given) if given else root / ".test-environment"


def lay_out(modules: pathlib.Path, root: pathlib.Path) -> None:
    """Makes a .NET root at `root` from npm's `modules`, whole or not at all."""
    loose = modules / RUNTIME_PACKAGE
    described = json.loads((loose / "azmcp.deps.json").read_text())
    target = described["targets"][described["runtimeTarget"]["name"]]
    [(name, pack)] = [(name, pack) for name, pack in target.items() if name.startswith(RUNTIME_PACK)]
    version = name.split("/")[1]

    unfinished = root.with_name(root.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    framework = unfinished / "shared" / FRAMEWORK / version
    host = unfinished / "host" / "fxr" / version
    framework.mkdir(parents=True)
    host.mkdir(parents=True)
    shutil.copy(loose / "libhostfxr.so", host)

    listed = {"runtime": {}, "native": {}}
    for kind, files in listed.items():
        for path, about in pack.get(kind, {}).items():
            file = loose / pathlib.PurePosixPath(path).name
            if file.exists():
                shutil.copy(file, framework)
                files[file.name] = about
    # The host knows a framework by this file, named after it.
    moniker, library = ".NETCoreApp,Version=v9.0", f"{FRAMEWORK}.Runtime.linux-x64/{version}"
    listing = {
        "runtimeTarget": {"name": f"{moniker}/linux-x64", "signature": ""},
        "targets": {moniker: {}, f"{moniker}/linux-x64": {library: listed}},
        "libraries": {library: {"type": "package", "serviceable": True, "sha512": ""}},
    }
    (framework / f"{FRAMEWORK}.deps.json").write_text(json.dumps(listing))
    options = {"tfm": "net9.0", "framework": {"name": FRAMEWORK, "version": version}}
    (unfinished / "runtimeconfig.json").write_text(json.dumps({"runtimeOptions": options}))

    for version, package in NPGSQL_PACKAGES.items():
        client = unfinished / f"npgsql-{version}"
        client.mkdir()
        for name in NPGSQL_FILES:
            if (modules / package / name).exists():
                shutil.copy(modules / package / name, client)
    shutil.rmtree(root, ignore_errors=True)
    unfinished.rename(root)


@functools.cache
def load() -> None:
    """Starts the runtime in this process; afterwards `import Npgsql` works."""
    # Without this the runtime looks for the ICU libraries, which nothing here needs.
    os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
    from clr_loader import get_coreclr
    from pythonnet import set_runtime

    root = environment() / "dotnet"
    set_runtime(get_coreclr(dotnet_root=root, runtime_config=root / "runtimeconfig.json"))
    import clr

    sys.path.append(str(root / f"npgsql-{os.environ.get('PENSTOCK_NPGSQL', '9')}"))
    clr.AddReference("Npgsql")


if __name__ == "__main__":
    lay_out(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
