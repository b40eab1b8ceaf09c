import NIOCore
import Testing

@testable import Proxy

@Suite("The bounds of a request as a whole")
struct RequestBoundsTests {
    private static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    private static func limits(_ change: (inout EntryPointLimits) -> Void) -> EntryPointLimits {
        var limits = EntryPointLimits()
        change(&limits)
        return limits
    }

    /// A clock that nobody may read.
    private static func unread() -> NIODeadline {
        Issue.record("the clock was read")
        return .distantFuture
    }

    @Test("cost no look at the clock where none is set")
    func unbounded() {
        var bounds = RequestBounds()
        bounds.connectionOpened(EntryPointLimits(), now: Self.unread())
        bounds.headEnded(hasBody: true, EntryPointLimits(), now: Self.unread())
        let persists = bounds.mayPersist(EntryPointLimits(), now: Self.unread())
        #expect(persists)
        #expect(bounds.earliest(.distantFuture, requestIsComplete: false) == .distantFuture)
        #expect(bounds.earliest(Self.at(3), requestIsComplete: false) == Self.at(3))
    }

    @Test("let a head take as long as heads may, or the whole request, if that is shorter")
    func head() {
        var bounds = RequestBounds()
        #expect(bounds.headBegan(EntryPointLimits(), now: Self.at(1)) == Self.at(11))
        let short = Self.limits { $0.readTimeout = .seconds(4) }
        #expect(bounds.headBegan(short, now: Self.at(1)) == Self.at(5))
    }

    @Test("count a body's time from the request's first byte, or from its head where that came at once")
    func read() {
        let limits = Self.limits { $0.readTimeout = .seconds(30) }
        var inPieces = RequestBounds()
        _ = inPieces.headBegan(limits, now: Self.at(1))
        inPieces.headEnded(hasBody: true, limits, now: Self.at(9))
        #expect(inPieces.earliest(Self.at(60), requestIsComplete: false) == Self.at(31))
        #expect(inPieces.earliest(Self.at(20), requestIsComplete: false) == Self.at(20))
        #expect(inPieces.earliest(Self.at(60), requestIsComplete: true) == Self.at(60))
        inPieces.exchangeEnded()
        #expect(inPieces.earliest(Self.at(60), requestIsComplete: false) == Self.at(60), "of the request before")
        var atOnce = RequestBounds()
        atOnce.headEnded(hasBody: true, limits, now: Self.at(9))
        #expect(atOnce.earliest(.distantFuture, requestIsComplete: false) == Self.at(39))
    }

    @Test("end the response by the entry point's limit or the service's, whichever is earlier")
    func finish() {
        let limits = Self.limits { $0.writeTimeout = .seconds(30) }
        var bounds = RequestBounds()
        bounds.headEnded(hasBody: false, limits, now: Self.at(1))
        #expect(bounds.earliest(.distantFuture, requestIsComplete: true) == Self.at(31))
        bounds.bound(by: Self.at(40))
        #expect(bounds.earliest(.distantFuture, requestIsComplete: true) == Self.at(31))
        bounds.bound(by: Self.at(20))
        #expect(bounds.earliest(.distantFuture, requestIsComplete: true) == Self.at(20))
        #expect(!bounds.isResponseDue(Self.at(19)) && bounds.isResponseDue(Self.at(20)))
        bounds.exchangeEnded()
        #expect(!bounds.isResponseDue(Self.at(1000)))
    }

    @Test("let a connection carry so many requests, or be used for so long")
    func persistence() {
        let three = Self.limits { $0.keepAliveMaxRequests = 3 }
        var bounds = RequestBounds()
        var persists: [Bool] = []
        for _ in 1...3 {
            bounds.headEnded(hasBody: false, three, now: Self.unread())
            persists.append(bounds.mayPersist(three, now: Self.unread()))
        }
        #expect(persists == [true, true, false])
        let brief = Self.limits { $0.keepAliveMaxTime = .seconds(60) }
        var aging = RequestBounds()
        aging.connectionOpened(brief, now: Self.at(10))
        #expect(aging.mayPersist(brief, now: Self.at(69)) && !aging.mayPersist(brief, now: Self.at(70)))
    }
}
