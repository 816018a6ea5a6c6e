# SPDX-License-Identifier: Apache-2.0
"""Which modules of Python's library belong to which area; those of no area are not read."""

from tailweave.protocols.kinds.sources.python_docs import Area

MODULES: dict[Area, str] = {
    "code": (
        "abc argparse ast bdb cProfile cmd code codeop compileall contextlib contextvars copy copyreg "
        "dataclasses dis distutils doctest ensurepip enum functools getopt gettext graphlib imp importlib "
        "inspect keyword lib2to3 linecache logging modulefinder opcode operator optparse pdb pickle "
        "pickletools pkgutil profile pstats py_compile pyclbr pydoc reprlib rlcompleter runpy sched site "
        "symtable sysconfig tabnanny timeit token tokenize trace traceback tracemalloc types typing unittest "
        "venv warnings weakref zipapp zipimport"
    ),
    "net": (
        "asynchat asyncio asyncore base64 cgi cgitb email ftplib html http imaplib ipaddress mailbox mailcap "
        "mimetypes netrc nntplib poplib quopri selectors smtpd smtplib socket socketserver ssl telnetlib "
        "urllib uu uuid webbrowser wsgiref xml xmlrpc"
    ),
    "gui": "curses idlelib tkinter turtle turtledemo",
    "data": (
        "_collections_abc _pydecimal _pyio bisect bz2 calendar codecs collections colorsys configparser csv "
        "datetime _pydatetime dbm decimal difflib encodings fractions gzip hashlib heapq hmac io json locale "
        "lzma numbers plistlib pprint queue random re secrets shelve sqlite3 statistics string stringprep "
        "struct tarfile textwrap tomllib wave zipfile zoneinfo"
    ),
}
"""Modules and packages by their names; area ``language`` is no module's. Some are gone from later Pythons."""
