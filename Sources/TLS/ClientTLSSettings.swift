/// How a server is reached over TLS. A value without anything of a TLS library.
package struct ClientTLSSettings: Equatable, Sendable {
    /// The name that is asked for and that the certificate must cover; nil: the host that is connected to.
    package var serverName: String?
    /// The certificate is not verified.
    package var isInsecure = false
    /// The DER form of the authorities that vouch for a server; nil: those of the system.
    package var authorities: [[UInt8]]?
    /// The certificate that the server may ask for.
    package var certificate: ServerCertificate?
    /// A URI that must be among the alternative names of the server's certificate.
    package var peerURI: String?

    package init() {}
}
