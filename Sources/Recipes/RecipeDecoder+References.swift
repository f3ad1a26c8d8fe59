import Foundation

/// What a recipe's parts say of each other and of the files beside it.
extension RecipeDecoder {
    func checkReferences(of recipe: Recipe) {
        uniqueNames("steps", "step")
        uniqueNames("services", "service")
        uniqueNames("checks", "check")
        uniqueNames("secrets", "secret")
        uniqueNames("stand_ins", "stand-in")
        checkSecrets(of: recipe)
        checkStandIns(of: recipe)
        checkRepositories(of: recipe)
        checkPorts(of: recipe)
        checkPaths(of: recipe)
        checkNetwork(of: recipe)
        guard !recipe.folder.isEmpty else { return }
        checkFiles(of: recipe)
    }

    /// Names by the place of each `<section>.<i>.name`: entries with other problems count too.
    private func uniqueNames(_ section: String, _ noun: String) {
        var first: [String: SourceLocation] = [:]
        let places = locations.compactMap { key, place in
            key.wholeMatch(of: /([a-z_]+)\.([0-9]+)\.name/).flatMap { $0.1 == section ? Int($0.2) : nil }.map { (number: $0, place: place) }
        }
        for (_, place) in places.sorted(by: { $0.number < $1.number }) {
            guard let name = names[place] else { continue }
            if let earlier = first[name] {
                report(
                    place, "a second \(noun) named `\(name)`; the first is \(RecipeFiles.shown(earlier, from: place))",
                    expected: "a name of its own for each \(noun)")
            } else {
                first[name] = place
            }
        }
    }

    /// Steps name repositories by their path.
    private func checkRepositories(of recipe: Recipe) {
        let paths = recipe.repositories.map(\.path)
        for (index, step) in recipe.steps.enumerated() {
            for (number, path) in (step.repositories ?? []).enumerated() where !paths.contains(path) {
                guard let place = locations["steps.\(index).repositories.\(number)"] else { continue }
                report(
                    place, "`repositories` has no `\(path)`", expected: paths.isEmpty ? "an entry of `repositories`" : paths.joined(separator: ", "),
                    nearest: Spelling.nearest(to: path, among: paths))
            }
        }
    }

    /// Steps name what `secrets` declares, and what it declares is of use.
    private func checkSecrets(of recipe: Recipe) {
        let declared = recipe.secrets.map(\.name)
        for (index, step) in recipe.steps.enumerated() {
            for (number, secret) in step.secrets.enumerated() where !declared.contains(secret.name) {
                let path = "steps.\(index).secrets.\(number)"
                guard let place = locations[path + ".name"] ?? locations[path] else { continue }
                report(
                    place, "`secrets` declares no `\(secret.name)`", expected: "an entry of `secrets` with that name",
                    nearest: Spelling.nearest(to: secret.name, among: declared))
            }
        }
        let used = Set(recipe.steps.flatMap { $0.secrets.map(\.name) })
        for (index, secret) in recipe.secrets.enumerated() where !used.contains(secret.name) {
            guard let place = locations["secrets.\(index)"] else { continue }
            report(place, "no step uses the secret `\(secret.name)`, and machines get none yet", severity: .warning)
        }
    }

    /// A stand-in is something of the recipe, or brings a variable that nothing else gives.
    private func checkStandIns(of recipe: Recipe) {
        let known = recipe.services.map(\.name) + recipe.steps.map(\.name) + recipe.env.keys.sorted()
        for index in locations.keys.compactMap({ key in key.wholeMatch(of: /stand_ins\.([0-9]+)\.name/).flatMap { Int($0.1) } }).sorted() {
            let path = "stand_ins.\(index)"
            guard let place = locations[path + ".name"], let name = names[place] else { continue }
            if locations[path + ".value"] != nil {
                if recipe.env[name] != nil {
                    report(place, "`env` has a value for `\(name)` too", expected: "the value in one of the two places")
                }
            } else if !known.contains(name) {
                report(
                    place, "there is no service, step or variable `\(name)` in this recipe that could stand in for something",
                    expected: known.isEmpty
                        ? "`value`, or the name of a service, a step or a variable" : "`value`, or one of: \(known.joined(separator: ", "))",
                    nearest: Spelling.nearest(to: name, among: known))
            }
        }
    }

    private func checkPorts(of recipe: Recipe) {
        var owners: [UInt16: String] = [:]
        let all =
            recipe.ports.enumerated().map { ($0.element, "ports.\($0.offset)") }
            + recipe.services.enumerated().flatMap { index, service in
                service.ports.enumerated().map { ($0.element, "services.\(index).ports.\($0.offset)") }
            }
        for (port, path) in all where port.host != 0 {
            if let owner = owners[port.host], let place = locations[path] {
                report(
                    place, "the host's port \(port.host) is already taken by `\(owner)`",
                    expected:
                        "another host port, such as \"\(port.host == .max ? 1024 : port.host + 1):\(port.machine)\"")
            }
            owners[port.host] = path
        }
    }

    private func checkPaths(of recipe: Recipe) {
        let workspace = recipe.workspace.path
        for (index, repository) in recipe.repositories.enumerated() where !repository.path.isEmpty {
            guard let place = locations["repositories.\(index).path"] else { continue }
            if HostPath.isInside(workspace, repository.path) {
                report(
                    place, "`\(repository.path)` would cover the workspace at \(workspace)",
                    expected: "a folder inside the workspace or apart from it")
            }
            for other in recipe.repositories[..<index]
            where !other.path.isEmpty
                && (HostPath.isInside(repository.path, other.path) || HostPath.isInside(other.path, repository.path))
            {
                report(
                    place, "`\(repository.path)` and `\(other.path)` of another repository overlap",
                    expected: "a folder of its own for each repository")
            }
        }
        for (index, file) in recipe.files.enumerated() where !file.to.isEmpty {
            guard let place = locations["files.\(index).to"] else { continue }
            if HostPath.isInside(file.to, workspace) {
                report(
                    place, "`\(file.to)` is in the workspace, whose files come from \(recipe.workspace.from)",
                    expected: "a path outside \(workspace)")
            }
            if recipe.files[..<index].contains(where: { $0.to == file.to }) {
                report(place, "two entries of `files` write `\(file.to)`", expected: "one source for each file")
            }
        }
    }

    private func checkNetwork(of recipe: Recipe) {
        guard recipe.network.build == .none, let place = locations["network.build"] else { return }
        if recipe.packages.requests.contains(where: { !$0.registryIsFolder }) {
            report(
                place, "`network.build: none` leaves `packages` without their registries",
                expected: "open, with `network: none` on the steps that must not have it")
        }
    }

    // MARK: Files of this host

    private func checkFiles(of recipe: Recipe) {
        checkWorkspaceFolder(of: recipe)
        for (index, file) in recipe.files.enumerated() where !file.from.isEmpty {
            checkHostPath(file.from, "files.\(index).from", recipe, .any)
        }
        for request in recipe.packages.requests {
            for key in request.manager.keys where key.kind == .files {
                let top = "packages.\(request.manager.name).\(key.name)"
                for file in request.options[key.name] ?? [] {
                    let path = locations.keys.filter { $0.hasPrefix(top) }.sorted().first { texts[$0] == file }
                    checkHostPath(file, path ?? top, recipe, .file)
                }
            }
            if let registry = request.registry, request.registryIsFolder {
                checkHostPath(registry, "packages.\(request.manager.name).registry", recipe, .folder)
            }
        }
        switch recipe.base {
        case .tar(let path): checkHostPath(path, "base", recipe, .file)
        case .ociLayout(let path, _): checkHostPath(path, "base", recipe, .any, or: "an image of a registry with its host (oci:docker.io/library/debian:12)")
        default: break
        }
        for (index, repository) in recipe.repositories.enumerated()
        where repository.isLocal && !repository.url.isEmpty {
            let place = locations["repositories.\(index).url"]
            let folder = HostPath.join(recipe.folder, repository.url)
            if !FileManager.default.fileExists(atPath: folder), let place {
                report(
                    place, "there is no repository at `\(repository.url)` (\(folder))",
                    expected: "a git repository beside this one, or a URL", nearest: nearestFile(repository.url, recipe)
                )
            }
        }
    }

    private func checkWorkspaceFolder(of recipe: Recipe) {
        guard let place = locations["workspace.from"] else { return }
        let from = recipe.workspace.from
        if let problem = Quantities.hostPathProblem(from) {
            report(place, "`workspace.from` is `\(from)`: \(problem)", expected: "a folder, relative to the recipe")
            return
        }
        var isFolder: ObjCBool = false
        if !FileManager.default.fileExists(atPath: recipe.workspaceFolder, isDirectory: &isFolder) {
            report(
                place, "`workspace.from` names `\(from)`, which is not there",
                expected: "a folder, relative to the recipe",
                nearest: nearestFile(from, recipe))
        } else if !isFolder.boolValue {
            report(
                place, "`workspace.from` names `\(from)`, which is a file", expected: "a folder, relative to the recipe"
            )
        }
    }

    private enum Kind { case any, file, folder }

    private func checkHostPath(_ path: String, _ key: String, _ recipe: Recipe, _ kind: Kind, or other: String? = nil) {
        guard let place = locations[key] else { return }
        let what = kind == .folder ? "a folder" : kind == .file ? "a file" : "a file or folder"
        let expected = "\(what) beside the recipe" + (other.map { ", or \($0)" } ?? "")
        if let problem = Quantities.hostPathProblem(path) {
            report(place, "`\(key)` is `\(path)`: \(problem)", expected: expected)
            return
        }
        let full = HostPath.join(recipe.folder, path)
        if !HostPath.isInside(full, recipe.folder), !HostPath.isInside(full, recipe.workspaceFolder) {
            report(place, "`\(key)` is `\(path)`, outside the recipe's folder and the workspace", expected: expected)
            return
        }
        var isFolder: ObjCBool = false
        if !FileManager.default.fileExists(atPath: full, isDirectory: &isFolder) {
            report(
                place, "`\(key)` names `\(path)`, which is not there", expected: expected,
                nearest: nearestFile(path, recipe))
        } else if !HostPath.isInside(HostPath.real(full), HostPath.real(recipe.folder)),
            !HostPath.isInside(HostPath.real(full), HostPath.real(recipe.workspaceFolder))
        {
            report(
                place, "`\(key)` names `\(path)`, a link that leads outside the recipe's folder and the workspace",
                expected: expected)
        } else if kind != .any, isFolder.boolValue != (kind == .folder) {
            report(
                place, "`\(key)` names `\(path)`, which is \(isFolder.boolValue ? "a folder" : "a file")",
                expected: expected)
        }
    }

    /// A file of the same folder whose name is near.
    private func nearestFile(_ path: String, _ recipe: Recipe) -> String? {
        let full = HostPath.join(recipe.folder, path)
        // A folder that cannot be listed has no near names to offer.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: HostPath.parent(full)))?.sorted() ?? []
        guard let near = Spelling.nearest(to: HostPath.name(full), among: names) else { return nil }
        return String(path.dropLast(HostPath.name(path).count)) + near
    }
}

extension Recipe.Repository {
    /// The URL is a path beside the recipe.
    public var isLocal: Bool {
        !url.contains("://") && url.wholeMatch(of: /[A-Za-z0-9._-]+@[^\/]+:.*/) == nil
    }
}
