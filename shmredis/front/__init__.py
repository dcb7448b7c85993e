"""The front process: listening sockets, hand-over of connections, supervision of workers."""
