import Foundation
import Linux
import Testing

/// What every machine makes for itself, and no image has.
@Suite("First starts", .serialized, .enabled(if: MachineNeeds.met))
struct FirstStartTests {
    private struct Inspected: Decodable { let treeDigest: String }

    private func say(_ home: Home, _ machine: String, _ script: String) throws -> String {
        try home.terrine("exec", machine, "--", "sh", "-c", script, expect: 0).output
    }

    @Test("scripts of an image run once in each machine, before its services, and in no step; a fork has what its parent made")
    func once() throws {
        try Home.with { home in
            let folder = try home.writeRecipe(
                """
                steps:
                  - name: leave a script
                    user: root
                    run: |
                      mkdir -p /etc/terrine/first-start
                      printf '#!/bin/sh\\nid -u > /who\\ncat /proc/sys/kernel/random/uuid >> /id\\n' > /etc/terrine/first-start/10-id
                      chmod 755 /etc/terrine/first-start/10-id
                    inputs: []
                  - { name: later, run: "[ ! -e /id ]", inputs: [] }
                user: user
                services: [{ name: reads, run: "cat /id > /tmp/read; exec sleep 1000", ready: "[ -s /tmp/read ]" }]
                checks: [{ run: "grep -q . /id" }]

                """)
            try home.terrine("build", folder, "-t", "small:1", expect: 0)
            let tree = try home.terrine("inspect", "small:1", "--json", expect: 0).json(Inspected.self).treeDigest
            try home.terrine("build", folder, "-t", "small:2", "--no-cache", expect: 0)
            #expect(try home.terrine("inspect", "small:2", "--json", expect: 0).json(Inspected.self).treeDigest == tree)

            // What autoinstall runs finds a machine as a check does.
            try home.terrine("autoinstall", folder, expect: 0)

            let one = try home.terrine("run", "small:1", "--no-services", "--", "cat", "/id", "/who", expect: 0).lines
            let two = try home.terrine("run", "small:1", "--", "cat", "/id", "/tmp/read", expect: 0).lines
            #expect(one.count == 2 && one.last == "0" && two.count == 2 && two[0] == two[1] && one[0] != two[0])
            try home.terrine("start", "small:1", "--name", "a", expect: 0)
            let id = try say(home, "a", "cat /id; ls /etc/terrine")
            #expect(id.count == 37)
            try home.terrine("stop", "a", expect: 0)
            try home.terrine("resume", "a", expect: 0)
            try home.terrine("fork", "a", "--name", "b", expect: 0)
            try home.terrine("restore", "small:1", "--name", "c", expect: 0)
            #expect(try say(home, "a", "cat /id") == id && say(home, "b", "cat /id") == id && say(home, "c", "cat /id") != id)

            try home.writeRecipe(
                "steps: [{ name: bad, run: \"mkdir -p /etc/terrine/first-start; cd /etc/terrine/first-start; printf '#!/bin/sh\\necho no key; exit 3\\n' > x; chmod 755 x\", inputs: [] }]\n"
            )
            try home.terrine("build", folder, "-t", "bad:1", expect: 0)
            let run = try home.terrine("run", "bad:1", "--", "true")
            #expect(run.code == 125 && run.errors.contains("the first start of") && run.errors.contains("no key"), "\(run.code) \(run.errors)")
            try home.terrine("rm", "--all", expect: 0)
        }
    }

    @Test("ssh's host keys, the snake-oil certificate, PostgreSQL's cluster and MariaDB's data are each machine's own, and images with them are equal")
    func packages() throws {
        try Home.with { home in
            try home.write(
                "work/terrine.yaml",
                "version: 1\nname: keys\nbase: debian-bookworm\npackages: { apt: [mariadb-server, openssh-server, postgresql, ssl-cert] }\n")
            let folder = home.path + "/work"
            try home.terrine("build", folder, "-t", "keys:1", expect: 0)
            try home.terrine("build", folder, "-t", "keys:2", "--no-cache", expect: 0)
            let trees = try ["keys:1", "keys:2"].map { try home.terrine("inspect", $0, "--json", expect: 0).json(Inspected.self).treeDigest }
            let differences = try home.terrine("diff", "keys:1", "keys:2").output
            #expect(trees[0] == trees[1], "\(differences)")
            let script = """
                set -e
                ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
                openssl x509 -noout -fingerprint -in /etc/ssl/certs/ssl-cert-snakeoil.pem
                pg_ctlcluster 15 main start
                setpriv --reuid postgres --regid postgres --init-groups psql -Atc 'select system_identifier from pg_control_system()'
                mariadbd-safe --skip-syslog >/dev/null 2>&1 &
                for _ in $(seq 100); do mariadb-admin --silent ping >/dev/null 2>&1 && break || sleep 0.3; done
                mariadb -BNe "create database notes; create table notes.items (id int); select count(*) from notes.items"
                mariadb-admin shutdown
                """
            let said = try (1...2).map { _ in try home.terrine("run", "keys:1", "--", "sh", "-c", script, expect: 0).lines }
            #expect(said.allSatisfy { $0.count == 4 && $0[3] == "0" } && zip(said[0].prefix(3), said[1]).allSatisfy { $0 != $1 }, "\(said)")
            let flat = try home.terrine("export", "keys:1", "-o", home.path + "/keys.tar", expect: 0)
            #expect(flat.code == 0)
            let names = try Command("tar", ["-tf", home.path + "/keys.tar"]).capture().output
            #expect(
                names.contains("etc/ssh/sshd_config") && !names.contains("ssh_host_") && !names.contains("snakeoil.key") && !names.contains("main/PG_VERSION"))
            #expect(!names.contains("var/lib/mysql/ibdata1") && names.contains("var/lib/mysql/debian-"))
            #expect(names.contains("etc/postgresql/15/main/postgresql.conf"))
        }
    }

    @Test("a base made from packages with keys of their own is the same in two stores, and each of its machines makes the keys")
    func base() throws {
        try Home.with { home in
            try home.write(
                "work/Images/keyed.yaml",
                "version: 1\nname: keyed\ndebian: { suite: bookworm, variant: minbase, packages: [openssh-server, ssl-cert] }\ndisk: 4GiB\njournal: 16MiB\n")
            try home.write("work/terrine.yaml", "version: 1\nname: it\nbase: keyed\n")
            struct Told: Decodable {
                struct Entry: Decodable, Equatable {
                    let digest: String
                    let treeDigest: String?
                }
                let history: [Entry]
            }
            let folder = home.path + "/work"
            func build(_ home: Home) throws -> [Told.Entry] {
                try home.terrine("build", folder, expect: 0)
                let told: Told = try home.terrine("history", "it", "--trees", "--json", expect: 0).json()
                return told.history
            }
            let one = try build(home)
            let lock = try String(contentsOfFile: folder + "/terrine.lock", encoding: .utf8)
            #expect(lock.contains("- base-files:") && lock.contains("- openssh-server:"))
            try FileManager.default.removeItem(atPath: folder + "/terrine.lock")
            try Home.with { other in
                let two = try build(other)
                // Of the base the blocks too, byte for byte; of the layer that a machine wrote the files.
                #expect(one.count == 2 && one[1] == two[1] && one[0].treeDigest == two[0].treeDigest)
            }
            let script = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub && openssl x509 -noout -fingerprint -in /etc/ssl/certs/ssl-cert-snakeoil.pem"
            let said = try (1...2).map { _ in try home.terrine("run", "it", "--", "sh", "-c", script, expect: 0).lines }
            #expect(said.allSatisfy { $0.count == 2 } && zip(said[0], said[1]).allSatisfy { $0 != $1 }, "\(said)")
        }
    }
}
