/// The versions that this module accepts. Any other is refused (505).
package enum HTTPVersion: UInt8, Sendable {
    case http10, http11
}
