"""Super-packets of a TUN device (virtio 5.1.6.2): ``cut`` apart, ``join``ed from a stream, ``runs`` dealt with as
one.

Only the shape of packets is known here: who may send what is judged by the feature that calls.
"""
