"""Certificates of the TLS listeners, made anew at each start.

A throw-away authority signs the leaf for localhost and 127.0.0.1, and a
leaf for another name.  A second authority, which no client is told of,
signs a leaf with the right name.
"""

import os
import ssl
import subprocess

RIGHT_NAMES = "DNS:localhost,IP:127.0.0.1"
WRONG_NAMES = "DNS:wrong.example"


def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


class Authority:
    """A certificate authority in a folder; its certificate is NAME.pem."""

    def __init__(self, folder, name):
        self.folder = folder
        self.certificate = os.path.join(folder, name + ".pem")
        self.key = os.path.join(folder, name + ".key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=simulator " + name,
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", self.key, "-out", self.certificate)

    def context(self, name, subject_names):
        """Sign a leaf for these names; returns a server side context."""
        stem = os.path.join(self.folder, name)
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=" + name,
                "-addext", "subjectAltName=" + subject_names,
                "-keyout", stem + ".key", "-out", stem + ".csr")
        openssl("x509", "-req", "-in", stem + ".csr", "-days", "2",
                "-CA", self.certificate, "-CAkey", self.key,
                "-CAcreateserial", "-copy_extensions", "copy",
                "-out", stem + ".pem")
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(stem + ".pem", stem + ".key")
        return made
