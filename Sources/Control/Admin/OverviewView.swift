import Configuration

/// The body of `/api/overview`: how many objects there are, where they come from, and their problems.
package struct OverviewView: Encodable, Equatable, Sendable {
    /// How many objects there are, and how many of them have warnings or errors.
    struct Count: Encodable, Equatable, Sendable {
        var total: Int
        var warnings: Int
        var errors: Int
    }

    struct HTTP: Encodable, Equatable, Sendable {
        var routers: Count
        var services: Count
        /// Counts each use of a middleware by a router.
        var middlewares: Count
    }

    struct Provider: Encodable, Equatable, Sendable {
        enum Status: String, Encodable, Sendable {
            case up, down
        }

        var name: String
        var status: Status
        /// When the provider last changed; null: not since the start.
        @ExplicitNull var lastChange: String?
        @ExplicitNull var error: String?
        /// Warnings about containers and labels, each one sentence.
        var warnings: [String] = []
    }

    struct Features: Encodable, Equatable, Sendable {
        var accessLog: Bool
        var metrics = "Prometheus"
        /// Whether replicas share a store.
        var sharedStore: Bool
    }

    struct Attempt: Encodable, Equatable, Sendable {
        enum Result: String, Encodable, Sendable {
            case success, failure
        }

        var at: String
        var result: Result
    }

    struct Reloads: Encodable, Equatable, Sendable {
        var success: UInt64
        var failure: UInt64
    }

    struct Diagnostic: Encodable, Equatable, Sendable {
        var source: String
        /// Null if the diagnostic concerns the source as a whole, and for labels.
        @ExplicitNull var line: Int?
        @ExplicitNull var column: Int?
        var key: String
        var severity: String
        var message: String
    }

    struct Loading: Encodable, Equatable, Sendable {
        var loadedAt: String
        /// Null: none since the start.
        @ExplicitNull var lastReload: Attempt?
        var reloads: Reloads
        /// The diagnostics of the current sources, which may differ from those of the running configuration.
        var mistakes: [Diagnostic]
        /// Includes those that are not listed.
        var mistakeCount: Int
    }

    var http: HTTP
    var providers: [Provider]
    var features: Features
    var configuration: Loading
    /// Those that clients of TLS are served with.
    var certificates: [CertificateView] = []
}

extension OverviewView.Loading {
    init(_ report: ReloadReport) {
        self.init(
            loadedAt: report.loadedAt.text,
            lastReload: report.last.map { .init(at: $0.at.text, result: $0.isSuccess ? .success : .failure) },
            reloads: .init(success: report.successes, failure: report.failures),
            mistakes: report.diagnostics.map(OverviewView.Diagnostic.init), mistakeCount: report.mistakeCount)
    }
}

extension OverviewView.Diagnostic {
    init(_ mistake: Diagnostic) {
        self.init(
            source: "\(mistake.source)", line: mistake.place?.line, column: mistake.place?.column, key: mistake.key,
            severity: mistake.severity == .error ? "error" : "warning", message: mistake.message)
    }
}

extension OverviewView.HTTP {
    /// - Parameter diagnostics: those of the current sources.
    init(_ configuration: HTTPConfiguration, diagnostics: [Diagnostic]) {
        func count(_ kind: String, _ total: Int) -> OverviewView.Count {
            let own = diagnostics.filter { $0.concerns(kind) }
            let errors = own.count { $0.severity == .error }
            return .init(total: total, warnings: own.count - errors, errors: errors)
        }
        self.init(
            routers: count("routers", configuration.routers.count),
            services: count("services", configuration.services.count),
            middlewares: count("middlewares", configuration.routers.reduce(0) { $0 + $1.middlewares.count }))
    }
}

extension Diagnostic {
    /// Whether the key is under `http.<kind>`, in a file or in a label.
    fileprivate func concerns(_ kind: String) -> Bool {
        let parts = key.lowercased().split(separator: ".", maxSplits: 3).prefix(3).map(String.init)
        return parts.starts(with: ["http", kind]) || parts.dropFirst().starts(with: ["http", kind])
    }
}
