"""Others' programs that live on a Redis, run against shmredis: the extra `acceptance` installs them."""
