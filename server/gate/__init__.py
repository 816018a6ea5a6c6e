# SPDX-License-Identifier: Apache-2.0
"""The one open port: an HTTPS proxy to the SuperLink that passes on signed Fleet requests and nothing else.

Flower serves Control, Fleet and Runtime API on one port, and its Control API has no login: whoever reaches it
may submit code. Requests of the Fleet API are each signed by a node's key. The gate looks at the signature
before it reads a body, so that who has no registered key costs it a header; the SuperLink looks again.

It stands on h11 and asyncio: uvicorn knows no deadline for handshake, header, body or response, no limit per
address, and sees a connection only once its TLS handshake is over.
"""
