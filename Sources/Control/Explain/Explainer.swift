import Affinity
package import Configuration
import Logging
import NIOCore
import NIOPosix
import Proxy
import Routing
import Store

/// Explains requests under a configuration, using the data plane that would serve them. That data plane is never
/// started.
package struct Explainer: Sendable {
    private let configuration: Configuration
    private let worker: NIOLoopBound<Worker>

    /// - Throws: the errors that would also keep a replica from serving the configuration.
    package init(_ configuration: Configuration) async throws(SnapshotDiagnostic) {
        self.configuration = configuration
        let snapshot = try Snapshot(configuration, keys: FleetKeys(configuration.fleet))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let entryPoints = configuration.entryPoints.count
        let name = configuration.replica.name
        let made = try? await loop.submit {
            let context = LoopContext(
                eventLoop: loop, entryPoints: entryPoints, limits: ProxyLimits(), replicaName: name, exchangeLog: nil,
                logger: Logger(label: "explain") { _ in SwiftLogNoOpLogHandler() })
            let worker = Worker(
                loop: context, snapshot: snapshot,
                store: MemoryStore(records: MemoryRecords(capacity: 1, seed: 0), eventLoop: loop),
                cache: BindingCache(entries: 1), coherence: .alone())
            return NIOLoopBound(worker, eventLoop: loop)
        }.get()
        guard let made else { throw SnapshotDiagnostic(description: "the event loop has stopped") }
        worker = made
    }

    /// - Parameter entryPoint: the entry point that receives the request. Default: the entry point that listens on the
    ///   URL's port, else the first by name where a router takes the request.
    package func explain(
        _ request: ExplainedRequest, entryPoint name: String? = nil
    ) async throws(ExplanationDiagnostic) -> Explanation {
        let known = configuration.entryPoints
        if let name {
            guard let index = known.firstIndex(where: { $0.name == name }) else {
                throw ExplanationDiagnostic(
                    "entry point \(name) is not defined: use \(known.map(\.name).joined(separator: " or "))")
            }
            return try await explain(request, at: index)
        }
        if let index = known.firstIndex(where: { $0.address.port == request.port }) {
            return try await explain(request, at: index)
        }
        var first: Explanation?
        for index in known.indices {
            let explanation = try await explain(request, at: index)
            if explanation.router != nil { return explanation }
            if first == nil || first?.isConnected == false, explanation.isConnected { first = explanation }
            first = first ?? explanation
        }
        guard let first else { throw ExplanationDiagnostic("no entry point is defined") }
        return first
    }

    private func explain(_ request: ExplainedRequest, at index: Int) async throws(ExplanationDiagnostic) -> Explanation
    {
        let settings = configuration.entryPoints[index]
        let entryPoint = EntryPoint(settings, index: index)
        let worker = worker
        let explained = try? await worker.eventLoop.submit {
            worker.value.explain(request.head, at: entryPoint, from: request.remote, secureHost: request.secureHost)
        }.get()
        guard let explained else { throw ExplanationDiagnostic("the event loop has stopped") }
        return Explanation(explained, of: request, at: settings.name, under: configuration)
    }
}
