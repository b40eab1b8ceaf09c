import NIOCore
import NIOPosix

/// The part of a `FaultProxy` that runs on its event loop.
///
/// Unchecked: everything except the constants is accessed only on that loop.
final class FaultListener: @unchecked Sendable {
    let loop: any EventLoop
    private let port: Int
    /// The server port for new connections.
    var target: Int
    private var listening: (any Channel)?
    private var newcomers = FaultProxy.Newcomers.welcome
    private var standing: [FaultProxy.Kind: FaultProxy.Fault] = [:]
    private var open: [Int: FaultLink] = [:]
    private(set) var accepted: [FaultProxy.Accepted] = []

    init(loop: any EventLoop, port: Int, target: Int) {
        (self.loop, self.port, self.target) = (loop, port, target)
    }

    func listen() -> EventLoopFuture<Void> {
        ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 128)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { client in
                client.eventLoop.makeCompletedFuture { try self.accept(client) }
            }
            .bind(host: "127.0.0.1", port: port)
            .map { self.listening = $0 }
    }

    private func accept(_ client: any Channel) throws {
        let number = accepted.count + 1
        accepted.append(.init(number: number, time: .now, kind: .data))
        let link = FaultLink(client: client, fault: standing[.data] ?? .none)
        open[number] = link
        client.closeFuture.whenComplete { _ in self.open[number] = nil }
        try client.pipeline.syncOperations.addHandler(FaultEnd(link, .client))
        switch newcomers {
        case .reset: loop.execute { link.end(withReset: true) }
        case .blackholed: link.set(.halfOpen)
        case .welcome, .refused, .subscribersReset:
            link.subscribed = { self.subscribed(number) }
            connect(link)
        }
    }

    private func connect(_ link: FaultLink) {
        ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(FaultEnd(link, .server))
                }
            }
            .connect(host: "127.0.0.1", port: target)
            .whenComplete { result in
                switch result {
                case .success(let server): link.connected(server)
                case .failure: link.ended(.server)
                }
            }
    }

    private func subscribed(_ number: Int) {
        accepted[number - 1].kind = .subscriber
        guard let link = open[number] else { return }
        if case .subscribersReset = newcomers { return link.end(withReset: true) }
        link.set(standing[.subscriber] ?? .none)
    }

    // MARK: Called by the test

    func links(_ selection: FaultProxy.Selection) -> [FaultLink] {
        let links = open.sorted { $0.key < $1.key }.map(\.value)
        return switch selection {
        case .all: links
        case .subscribers: links.filter { $0.kind == .subscriber }
        case .data: links.filter { $0.kind == .data }
        case .oneData: Array(links.filter { $0.kind == .data }.prefix(1))
        }
    }

    func set(_ fault: FaultProxy.Fault, on selection: FaultProxy.Selection) {
        switch selection {
        case .all: standing = [.data: fault, .subscriber: fault]
        case .subscribers: standing[.subscriber] = fault
        case .data: standing[.data] = fault
        case .oneData: break
        }
        for link in links(selection) { link.set(fault) }
    }

    func end(_ selection: FaultProxy.Selection, withReset: Bool) {
        for link in links(selection) { link.end(withReset: withReset) }
    }

    func receive(_ newcomers: FaultProxy.Newcomers) -> EventLoopFuture<Void> {
        self.newcomers = newcomers
        if case .refused = newcomers {
            guard let listening else { return loop.makeSucceededVoidFuture() }
            self.listening = nil
            return listening.close()
        }
        return listening == nil ? listen() : loop.makeSucceededVoidFuture()
    }
}
