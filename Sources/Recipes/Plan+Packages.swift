import Foundation

extension PlanStep {
    /// What a package layer is made of, beside its script.
    public struct PackageWork: Sendable {
        public let request: Recipe.PackageRequest
        /// Writes exact versions and hashes to the lock; nil when the manager has a lock file of its own.
        public let resolve: String?
        /// SHA-256 in hex of all that was asked for: a lock's entry is for that and nothing else.
        public let asked: String
        /// A folder of this host that is the registry.
        public let registryFolder: String?
        /// What exactly is to be installed, a package a line; nil while it is not resolved.
        public internal(set) var locked: [String]?
        /// Whether it is to be resolved anew, whatever is known.
        public internal(set) var isRenewed = false
        /// What an earlier lock said: versions that a new resolution keeps, if it can.
        public internal(set) var previous: [String] = []
    }

    /// The same step, to install exactly `lines`.
    public func locked(to lines: [String]) -> PlanStep {
        var step = self
        step.packages?.locked = lines
        step.packages?.previous = []
        // How it was found out does not count for what is installed.
        step.parts["resolve"] = nil
        step.parts["previous"] = nil
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { continue }
            // Of some managers a package may be there in several versions.
            let key = "locked \(words[0])"
            step.parts[key] = step.parts[key].map { "\($0)\n\(words[1])" } ?? words[1]
        }
        return step
    }
}

extension PlanMaker {
    func packages(_ request: Recipe.PackageRequest) throws -> PlanStep {
        let manager = request.manager
        let names = (request.project.map { ["project \($0)"] } ?? []) + request.files + request.packages
        var step = PlanStep("packages.\(manager.name)", "\(manager.name): " + summary(names), .packages)
        for package in request.packages { step.parts["package \(package)"] = manager.name }
        for key in manager.keys { step.parts[key.name] = CanonicalJSON.array(request.values(key.name)) }
        step.parts["manager"] = manager.name
        step.parts["project"] = request.project
        step.parts["registry"] = request.registry
        step.inputs = try inputs(of: request)
        step.environment = manager.inheritsEnvironment ? recipe.environment : ["PATH": Recipe.systemPath]
        for (name, value) in manager.environment where !manager.inheritsEnvironment { step.environment[name] = request.filled(value) }
        // Another base has other versions.
        let asked = InputHashing.hex(of: recipe.base.text + "\n" + step.normalised + step.inputs.map { "\n\($0.path) \($0.record)" }.joined())
        let script = PackageScript(request: request, workspace: recipe.workspace.path)
        step.script = script.install
        step.parts["script"] = manager.scriptDigest
        if script.resolve != nil { step.parts["resolve"] = manager.resolve.map { InputHashing.hex(of: $0) } }
        step.packages = .init(
            request: request, resolve: script.resolve, asked: asked,
            registryFolder: request.registryIsFolder ? request.registry.map { HostPath.real(HostPath.join(recipe.folder, $0)) } : nil)
        step.caches = manager.caches.map { Recipe.Cache(name: $0.name, isShared: $0.isShared, isConcurrent: $0.isConcurrent) }
        for cache in manager.caches { if let variable = cache.variable { step.environment[variable] = "/dev/terrine/caches/\(cache.name)" } }
        step.network = recipe.network.build
        step.timeout = recipe.timeout
        return step
    }

    private func inputs(of request: Recipe.PackageRequest) throws -> [InputFile] {
        var requests: [InputHashing.Request] = []
        for key in request.manager.keys where key.kind == .files {
            requests += try files(of: request, key).map { beside($0, "\(PackageScript.inputFolder)/\($0)", 0o644) }
        }
        if let project = request.project, let kind = request.manager.project {
            let top = project == "." ? "" : project + "/"
            let target = PackageScript(request: request, workspace: recipe.workspace.path).projectFolder ?? ""
            for name in kind.required where !FileManager.default.fileExists(atPath: workspace.root + "/" + top + name) {
                throw RecipeError(
                    "notFound", "cannot find \(top + name), which `packages.\(request.manager.name)` installs from",
                    fix: "make it with \(request.manager.name) and commit it, or correct `project`")
            }
            // Matched from the project's own folder: its name may hold a glob's letters.
            let globs = (kind.required + kind.optional).map { GlobPattern($0[...]) }
            for file in try workspace.files() where file.path.hasPrefix(top) {
                let name = String(file.path.dropFirst(top.count))
                let parts = name.split(separator: "/").map { Array($0.utf8) }
                guard globs.contains(where: { $0.selects(parts) }) else { continue }
                requests.append(
                    .init(path: file.path, kind: file.kind, mode: file.mode, source: workspace.root + "/" + file.path, target: target + "/" + name))
            }
        }
        return try InputHashing.hash(requests)
    }

    /// The files that one key names and all that they include, each once.
    private func files(of request: Recipe.PackageRequest, _ key: PackageManager.Key) throws -> [String] {
        var found: [String] = []
        var open = request.values(key.name)
        while let path = open.popLast() {
            let plain = String(HostPath.join("/", path).dropFirst())
            if found.contains(plain) { continue }
            guard let bytes = FileManager.default.contents(atPath: HostPath.join(recipe.folder, path)) else {
                throw RecipeError(
                    "notFound", "cannot read \(path), which `packages.\(request.manager.name).\(key.name)` needs", fix: "write it, or correct the name")
            }
            found.append(plain)
            let folder = path.contains("/") ? String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]) : ""
            for include in PackageScript.includes(of: String(decoding: bytes, as: UTF8.self), options: key.includes) {
                guard HostPath.isInside(HostPath.join(recipe.folder, folder + include), recipe.folder) else {
                    throw RecipeError("outside", "\(path) includes \(include), outside the recipe's folder", fix: "move it beside the recipe")
                }
                open.append(folder + include)
            }
        }
        return found.sorted()
    }
}
