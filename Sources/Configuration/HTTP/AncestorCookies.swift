import Proxy

/// The cookies of weighted services, looked up by the container services below them. A client holds one cookie per
/// name, so a container that reuses such a name would invalidate a file that is correct by itself.
struct AncestorCookies {
    private struct Parent {
        let name: String
        let cookie: String?
    }

    /// Keyed by qualified name.
    private var parents: [String: [Parent]] = [:]

    /// - Parameter files: drafts of files only; containers cannot define weighted services.
    init(_ files: [HTTPDraft]) {
        for service in files.flatMap(\.services) {
            let parent = Parent(name: service.settings.name, cookie: service.settings.sticky?.cookie?.name)
            for child in service.children { parents[child.qualified, default: []].append(parent) }
        }
    }

    /// The name of a weighted service above `service` that uses this cookie.
    func holder(of cookie: String, above service: String) -> String? {
        var seen: Set<String> = []
        var level = [service]
        // Deeper nesting is an error anyway, whichever service has the cookie.
        for _ in 0..<ServiceNesting.levelsMax {
            let above = level.flatMap { parents[$0] ?? [] }
            if let holder = above.first(where: { $0.cookie == cookie }) { return holder.name }
            level = above.map(\.name).filter { seen.insert($0).inserted }
        }
        return nil
    }
}
