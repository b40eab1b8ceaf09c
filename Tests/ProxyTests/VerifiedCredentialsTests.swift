import Affinity
import Testing

@testable import Proxy

@Suite("Credentials that were verified of late")
struct VerifiedCredentialsTests {
    private static func digest(_ number: Int) -> VerifiedCredentials.Digest {
        .init(words: SIMD4(UInt64(number), 0, 0, 0))
    }
    private static let start = Instant(nanoseconds: 0)

    @Test("are known until their time is over, however often they are looked up")
    func lifetimeMilliseconds() {
        var verified = VerifiedCredentials()
        verified.add(Self.digest(1), now: Self.start)
        for millisecond in stride(from: 0, to: VerifiedCredentials.lifetimeMilliseconds, by: 10_000) {
            let now = Self.start.advanced(byMilliseconds: millisecond)
            let isKnown = verified.contains(Self.digest(1), now: now)
            #expect(isKnown)
            for number in 0..<100 { verified.add(Self.digest(Int(millisecond) + 2 + number), now: now) }
        }
        let last = Self.start.advanced(byMilliseconds: VerifiedCredentials.lifetimeMilliseconds - 1)
        let isKnown = verified.contains(Self.digest(1), now: last)
        #expect(isKnown)
        let isOver = !verified.contains(Self.digest(1), now: last.advanced(byMilliseconds: 1))
        #expect(isOver)
    }

    @Test("that are verified again are known for as long again")
    func again() {
        var verified = VerifiedCredentials()
        let middle = Self.start.advanced(byMilliseconds: VerifiedCredentials.lifetimeMilliseconds / 2)
        verified.add(Self.digest(1), now: Self.start)
        verified.add(Self.digest(1), now: middle)
        let isKnown = verified.contains(
            Self.digest(1), now: middle.advanced(byMilliseconds: VerifiedCredentials.lifetimeMilliseconds - 1))
        #expect(isKnown && verified.count == 1)
    }

    @Test("are never more than their capacity, and those are known that were added or used among the last few hundred")
    func recent() {
        var verified = VerifiedCredentials()
        var order: [Int] = []
        var number: UInt64 = 3
        for next in 0..<20_000 {
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if number >> 62 == 0, let used = order.suffix(200).randomElement(from: number) {
                let isKnown = verified.contains(Self.digest(used), now: Self.start)
                #expect(isKnown)
                order.append(used)
            } else {
                verified.add(Self.digest(next), now: Self.start)
                order.append(next)
            }
            if verified.count > VerifiedCredentials.capacity { Issue.record("\(verified.count) are remembered") }
        }
        for used in Set(order.suffix(VerifiedCredentials.capacity / 2 - 1)) {
            let isKnown = verified.contains(Self.digest(used), now: Self.start)
            #expect(isKnown)
        }
    }
}

extension ArraySlice {
    fileprivate func randomElement(from number: UInt64) -> Element? {
        isEmpty ? nil : self[startIndex + Int((number >> 20) % UInt64(count))]
    }
}
