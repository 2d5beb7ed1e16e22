"""The only code that touches the kernel: nothing else imports ctypes or opens a raw socket.

``netlink`` (links, addresses, connections), ``nft`` (the packet filter), ``bpf`` (eBPF programs), ``packets`` (in and
out of this process), ``host`` (everything else of this machine). What the kernel refuses is a ``KernelError`` with a
remedy. No rule of a protocol or of the site is decided here.
"""
