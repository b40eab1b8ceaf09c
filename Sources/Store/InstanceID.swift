/// A random number that identifies this process among all replicas: 16 hexadecimal digits.
package struct InstanceID: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(random: UInt64) {
        description = random.hexadecimal
    }
}

extension UInt64 {
    /// 16 hexadecimal digits.
    package var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
