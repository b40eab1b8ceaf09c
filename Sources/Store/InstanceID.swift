/// A random number that identifies this process among all replicas: 16 hexadecimal digits.
package struct InstanceID: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt64

    package init(random: UInt64) {
        number = random
    }

    package var description: String { number.hexadecimal }
}

extension UInt64 {
    /// 16 hexadecimal digits.
    package var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
