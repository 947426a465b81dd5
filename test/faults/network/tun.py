"""A network device whose packets come and go over stdin and stdout, each behind its length in 16 bits.

tun.py NAME NEAR FAR: packets to FAR come out; what comes in arrives as if FAR had sent it to NEAR.
A packet of length 0 says that it is there. It is gone with this process, which ends with its stdin.
"""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SIOCSIFADDR, SIOCSIFDSTADDR, SIOCSIFFLAGS = 0x8916, 0x8918, 0x8914
IFF_UP_RUNNING = 0x41
PACKET_BYTES = 65535

name, near, far = sys.argv[1].encode(), sys.argv[2], sys.argv[3]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name, IFF_TUN | IFF_NO_PI))
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for request, address in ((SIOCSIFADDR, near), (SIOCSIFDSTADDR, far)):
    fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address)))
fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, IFF_UP_RUNNING))


def tell(packet):
    data = struct.pack(">H", len(packet)) + packet
    while data:
        data = data[os.write(1, data):]


tell(b"")
held = b""
while True:
    ready, _, _ = select.select([tun, 0], [], [])
    if tun in ready:
        tell(os.read(tun, PACKET_BYTES))
    if 0 in ready:
        read = os.read(0, PACKET_BYTES)
        if not read:
            break
        held += read
        while len(held) >= 2 and len(held) >= 2 + struct.unpack_from(">H", held)[0]:
            end = 2 + struct.unpack_from(">H", held)[0]
            os.write(tun, held[2:end])
            held = held[end:]
