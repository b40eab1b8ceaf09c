package import Affinity
import HTTPWire
package import Logging
package import NIOCore
package import Networking
import Store

/// What everything on one event loop shares: clock, randomness, buffers, limits, scanner, deadlines, counters and log.
/// It does not depend on services, requests or connections. Confined to its loop.
package final class LoopContext {
    package let eventLoop: any EventLoop
    let limits: ProxyLimits
    let replicaName: String
    /// Plain TCP connections write to their sockets themselves.
    let sendsDirectly: Bool
    let logger: Logger
    /// Resolves the names of backends.
    let resolver: NameResolver
    /// Receives finished exchanges; nil if they are not logged.
    let exchangeLog: (any ExchangeLog)?
    /// Logs what backends do wrong.
    let failureLog: FailureLog
    /// Logs which clients flood their connections.
    let floodLog: FloodLog
    let scanner: HeadScanner
    /// The fields of the request head that was scanned last.
    let requestFields: FieldTable
    /// The fields of the response head that was scanned last.
    let responseFields: FieldTable
    let receiveBuffers = ReceiveBuffers()
    var spareBuffers = SpareBuffers()
    let deadlines = DeadlineScan()
    var turnEnd = TurnEnd()
    var counters: WorkerCounters
    /// Receives what connections reveal about backends; nil if nothing is served.
    var evidence: HealthEvidence?
    /// The replica is stopping: connections are not kept for further requests.
    var isStopping = false
    private var dates = DateLine()
    private var random = SystemRandomNumberGenerator()

    package init(
        eventLoop: any EventLoop, entryPoints: Int, limits: ProxyLimits, replicaName: String,
        sendsDirectly: Bool = true, exchangeLog: (any ExchangeLog)?, failureLog: FailureLog? = nil,
        floodLog: FloodLog? = nil, logger: Logger, resolver: NameResolver = .shared
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.replicaName = replicaName
        self.sendsDirectly = sendsDirectly
        self.exchangeLog = exchangeLog
        self.failureLog = failureLog ?? FailureLog(logger)
        self.floodLog = floodLog ?? FloodLog(logger)
        self.logger = logger
        self.resolver = resolver
        scanner = HeadScanner(limits: limits.message)
        requestFields = FieldTable(capacity: limits.message.fieldCount)
        responseFields = FieldTable(capacity: limits.message.fieldCount)
        counters = WorkerCounters(entryPoints: entryPoints)
    }

    // MARK: Time and randomness

    package func now() -> Instant { .now }

    /// Seconds since 1970; only for hints and dates.
    func wallClock() -> UInt32 { WallClock.seconds() }

    /// The Date line for a response that has none.
    func dateLine() -> [UInt8] { dates.line(at: wallClock()) }

    func randomSessionID() -> AffinityCookieSealer.SessionID {
        AffinityCookieSealer.SessionID(high: random.next(), low: random.next())
    }

    func randomSeed() -> UInt64 { random.next() }

    /// 0 to below 1.
    func randomDraw() -> Double { Double.random(in: 0..<1, using: &random) }

    func randomNonce() -> (UInt64, UInt32) { (random.next(), random.next()) }

    // MARK: Buffers

    /// A copy with no more storage than its bytes: bytes that are kept must not pin the loop's receive buffer.
    func copy(_ bytes: ByteBuffer) -> ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
        copy.writeImmutableBuffer(bytes)
        return copy
    }
}

@available(*, unavailable)
extension LoopContext: Sendable {}
