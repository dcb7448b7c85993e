"""shmredis-benchmark: shmredis beside other servers, under the same loads in the same minutes.

`main` reads the arguments; `loads`, `memory` and `pauses` each measure one thing and give `Measurement`s;
`report` prints them and writes them as JSON. `servers` starts and stops the servers.
"""
