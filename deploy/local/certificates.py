"""A throw-away certificate authority, and a certificate of it for a server."""

from pathlib import Path

from children import environment_without, run_once

EXTENSIONS = """\
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:{name}
"""


def issue(folder: Path, name: str) -> tuple[Path, Path]:
    """Leaves the authority's certificate in `ca.pem`; returns the server's certificate and key."""
    extensions = folder / "certificates.cnf"
    extensions.write_text(EXTENSIONS.format(name=name))
    openssl("req", "-new", "-subj", "/CN=Troupe tests", *key(folder / "ca.key"), "-out", folder / "ca.csr")
    openssl(
        "x509", "-req", "-in", folder / "ca.csr", "-signkey", folder / "ca.key", "-days", "2", "-extfile", extensions,
        "-extensions", "authority", "-out", folder / "ca.pem")
    openssl("req", "-new", "-subj", f"/CN={name}", *key(folder / "server.key"), "-out", folder / "server.csr")
    openssl(
        "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
        "-set_serial", "1", "-days", "2", "-extfile", extensions, "-extensions", "server",
        "-out", folder / "server.pem")
    return folder / "server.pem", folder / "server.key"


def key(path: Path) -> list[object]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]


def openssl(*arguments: object) -> None:
    run_once(["openssl", *arguments], "making a certificate", environment_without("OPENSSL_"))
