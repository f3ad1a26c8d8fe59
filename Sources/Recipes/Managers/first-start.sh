# What is random by nature a machine makes when it starts for the first time: scripts in this folder do. What was there before this layer is somebody's own.
first_start() {
  mkdir -p /etc/terrine/first-start
  cat > "/etc/terrine/first-start/$1"
  chmod 755 "/etc/terrine/first-start/$1"
}
if [ -n "$(find /etc/ssh -maxdepth 1 -name 'ssh_host_*_key' -newer "$work/begun" 2>/dev/null)" ]; then
  rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
  printf '#!/bin/sh\nexec ssh-keygen -q -A\n' | first_start 10-ssh-host-keys
fi
if [ -n "$(find /etc/ssl/private -name ssl-cert-snakeoil.key -newer "$work/begun" 2>/dev/null)" ]; then
  find /etc/ssl/certs -lname ssl-cert-snakeoil.pem -delete
  rm -f /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/ssl/private/ssl-cert-snakeoil.key
  printf '#!/bin/sh\nexec make-ssl-cert generate-default-snakeoil --force-overwrite\n' | first_start 20-ssl-cert
fi
for terrine_cluster in /var/lib/postgresql/*/*; do
  [ -e "$terrine_cluster/PG_VERSION" ] && [ "$terrine_cluster/PG_VERSION" -nt "$work/begun" ] || continue
  # Its configuration, which a recipe may want to change, stays.
  terrine_version=$(cat "$terrine_cluster/PG_VERSION")
  find "$terrine_cluster" -mindepth 1 -delete
  first_start "30-postgresql-$terrine_version-${terrine_cluster##*/}" <<END
#!/bin/sh
set -e
cd /
umask 077
setpriv --reuid postgres --regid postgres --init-groups /usr/lib/postgresql/$terrine_version/bin/initdb -D "$terrine_cluster" \
  --auth-local peer --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8 --no-instructions
rm -f "$terrine_cluster/postgresql.conf" "$terrine_cluster/pg_hba.conf" "$terrine_cluster/pg_ident.conf"
END
done
if [ /var/lib/mysql/ibdata1 -nt "$work/begun" ]; then
  # What tells packages the version of the data stays.
  find /var/lib/mysql -mindepth 1 -maxdepth 1 ! -name 'debian-*.flag' -exec rm -rf {} +
  first_start 40-mariadb <<'END'
#!/bin/sh
set -e
cd /
program=$(command -v mariadb-install-db || command -v mysql_install_db)
# As Debian's package does it.
TMPDIR= bash "$program" --rpm --cross-bootstrap --user=mysql --disable-log-bin --skip-test-db
END
fi
