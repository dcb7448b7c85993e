"""Users: who clients are and what they may do.

rules.py and selector.py read what an administrator writes, user.py keeps it, compiled.py hands it to
the core, which checks commands. table.py has all users, the same in every worker by journal.py;
users_file.py has them in files, log.py remembers refusals.
"""
