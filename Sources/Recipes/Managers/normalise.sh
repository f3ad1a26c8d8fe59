# What a package layer leaves must follow from its packages alone: no caches, logs, backups, bytecode or identity of this one run.
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -rf /var/cache/ldconfig/aux-cache /var/cache/fontconfig/* /var/cache/man/* /var/lib/apt/periodic
rm -rf /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log /var/log/bootstrap.log
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /var/lib/ucf/*.[0-9]
find /tmp /var/tmp -mindepth 1 -delete 2>/dev/null || true
# A machine gets its own identity when it starts.
if [ -s /etc/machine-id ]; then : > /etc/machine-id; fi
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed
# Bytecode holds the times of its sources.
find /usr/lib/python3 /usr/lib/python3.* /usr/share -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
