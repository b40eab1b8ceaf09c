import Proxy

/// The cookies of weighted services, by the services of containers that are below them. A client has one cookie of a
/// name, and a container that says it again would stop a file that is right by itself.
struct AncestorCookies {
    private struct Parent {
        let name: String
        let cookie: String?
    }

    /// By qualified name.
    private var parents: [String: [Parent]] = [:]

    /// - Parameter files: what the files say; containers have no weighted services.
    init(_ files: [HTTPDraft]) {
        for service in files.flatMap(\.services) {
            let parent = Parent(name: service.settings.name, cookie: service.settings.sticky?.cookie?.name)
            for child in service.children { parents[child.reference.qualified, default: []].append(parent) }
        }
    }

    /// The name of a weighted service above this one that has this cookie.
    func holder(of cookie: String, above service: String) -> String? {
        var seen: Set<String> = []
        var level = [service]
        // More levels are a mistake, whoever has the cookie.
        for _ in 0..<WeightedNesting.levelsMax {
            let above = level.flatMap { parents[$0] ?? [] }
            if let holder = above.first(where: { $0.cookie == cookie }) { return holder.name }
            level = above.map(\.name).filter { seen.insert($0).inserted }
        }
        return nil
    }
}
