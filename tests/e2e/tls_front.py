"""Ends TLS in front of a port of this machine: tls_front.py LISTEN TARGET CHAIN KEY"""

import socket
import ssl
import sys
import threading


def carry(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(plain, target):
    with context.wrap_socket(plain, server_side=True) as client, socket.create_connection(("127.0.0.1", target)) as server:
        back = threading.Thread(target=carry, args=(server, client), daemon=True)
        back.start()
        carry(client, server)
        back.join()


listen, target, chain, key = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
listener = socket.create_server(("127.0.0.1", listen))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0], target), daemon=True).start()
