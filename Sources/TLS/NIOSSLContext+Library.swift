package import NIOSSL

extension NIOSSLContext {
    /// BoringSSL's SSL_CTX, as long as this object lives; nil if it is not found.
    package var library: UnsafeMutableRawPointer? {
        for child in Mirror(reflecting: self).children where child.label == "sslContext" {
            return (child.value as? OpaquePointer).map { UnsafeMutableRawPointer($0) }
        }
        return nil
    }
}
