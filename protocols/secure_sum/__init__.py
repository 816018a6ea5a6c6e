# SPDX-License-Identifier: Apache-2.0
"""Secure aggregation: the server learns the sum of the silos' integer sketches and nothing else.

For federations of 3 to 20 silos that distrust the server. Each pair of silos agrees on a mask that one adds
and the other subtracts; all must survive, or the round is thrown away and run again with new keys. The server
can then neither cap a silo's weight nor compare silos: a federation chooses whom it distrusts.

What this does not protect against: silos that collude with the server, all but one; and a server that calls
a finished round a failure and asks for another without one silo, whose sketch is then the difference of the
two sums. A silo therefore draws its noise anew for every masked vector and pays for it as for a release, and
takes no other roster under a number than the one that it offered its key to.

Source:
    Bonawitz et al. (2017), "Practical secure aggregation for privacy-preserving machine learning",
    section 4.0.1 (masking with one-time pads), without recovery of drop-outs.
"""
