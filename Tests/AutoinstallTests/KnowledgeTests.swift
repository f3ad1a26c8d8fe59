import Recipes
import Testing

@testable import Autoinstall

@Suite struct KnowledgeTests {
    @Test("the packages of common names are known, whatever they are asked by")
    func packages() {
        let known = KnownPackages()
        #expect(known.packages(forFile: "/usr/include/libxml2/libxml/tree.h") == ["libxml2-dev"] && known.packages(forFile: "zlib.h") == ["zlib1g-dev"])
        #expect(known.packages(forFile: "libssl.so.3") == ["libssl-dev"] && known.packages(forFile: "/usr/lib/pkgconfig/libpq.pc") == ["libpq-dev"])
        #expect(known.packages(forFile: "/usr/bin/jq") == ["jq"] && known.packages(forCommand: "msgfmt") == ["gettext"])
        #expect(known.packages(forCMake: "Protobuf") == ["libprotobuf-dev", "protobuf-compiler"] && known.packages(for: .linked("z")) == ["zlib1g-dev"])
        #expect(known.distribution(forPythonImport: "yaml") == "PyYAML" && known.packages(forPythonDistribution: "Psycopg2").contains("libpq-dev"))
        #expect(known.packages(forPkgConfig: "no-such").isEmpty && known.distribution(forPythonImport: "no_such") == nil)
    }

    @Test("every package of the tables has a name that Debian could have")
    func names() throws {
        let catalog = try EcosystemCatalog()
        var names = catalog.ecosystems.flatMap { $0.packages.flatMap { $0.packages["apt"] ?? [] } + $0.commands.flatMap { $0.packages["apt"] ?? [] } }
        names += ServiceTable.known.services.flatMap(\.packages) + NameTables.nix.values.joined() + NameTables.brew.values.joined()
        names += NameTables.features.values.flatMap(\.packages)
        for name in names { #expect(ScriptCarrier.debianName.isFound(in: name), "\(name)") }
        #expect(names.count > 300)
    }

    @Test("services are told by image, address and variable")
    func services() {
        let table = ServiceTable.known
        #expect(
            table.forImage("registry.example.com/x/postgres:15-alpine@sha256:00")?.name == "postgresql" && table.forImage("bitnami/redis")?.name == "redis"
                && table.forImage("nginx") == nil)
        #expect(
            table.forURL("url = \"postgresql+psycopg2://shop:pw@localhost:5432/shop_db?x=1\"")
                == ServiceUse("postgresql", database: "shop_db", user: "shop", password: "pw"))
        #expect(table.forURL("redis://localhost:6379/0") == ServiceUse("redis") && table.forURL("https://example.com/x") == nil)
        #expect(table.forVariable("PGHOST")?.name == "postgresql" && table["mongodb"]?.isAbsent == true)
    }

    @Test("every service that has a program has what a recipe wants of it")
    func complete() throws {
        for service in ServiceTable.known.services where !service.isAbsent {
            var draft = RecipeDraft(name: "x")
            draft.services = [.init(service.draft(ServiceUse(service.name, database: "shop", user: "me", password: "pw")), [])]
            let recipe = try Recipe.parse(try draft.text(), file: "terrine.yaml", folder: "/")
            #expect(recipe.services.first?.ready?.contains("${") == false && !service.packages.isEmpty && service.probe != nil)
        }
    }
}
