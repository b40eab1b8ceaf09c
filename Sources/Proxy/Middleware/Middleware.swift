package import Routing

/// What a router does to a request before the service and to its response after it, in the configured order.
package enum Middleware: Equatable, Sendable {
    case headers(HeaderEdits)
    /// Removes the first of the prefixes that the path begins with, and sends it to the backend as X-Forwarded-Prefix.
    /// Each prefix begins with a slash.
    case stripPrefix([String])
    /// Prepended to the path; begins with a slash.
    case addPrefix(String)
    case redirectScheme(SchemeRedirect)
    case basicAuth(BasicAuth)
    case ipAllowList(IPAllowList)
    case passTLSClientCert(PassTLSClientCert)
    case retry(Retry)
}

/// `headers`: fields to set and to remove. A set field replaces all fields of its name.
package struct HeaderEdits: Equatable, Sendable {
    /// Names are tokens; values contain no control characters (RFC 9110, section 5.5). Sorted by name.
    package var requestSet: [Field]
    package var requestRemove: [String]
    package var responseSet: [Field]
    package var responseRemove: [String]
    /// Nil: Strict-Transport-Security is not set.
    package var strictTransport: StrictTransport?

    package struct Field: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        requestSet: [Field] = [], requestRemove: [String] = [], responseSet: [Field] = [],
        responseRemove: [String] = [], strictTransport: StrictTransport? = nil
    ) {
        self.strictTransport = strictTransport
        self.requestSet = requestSet
        self.requestRemove = requestRemove
        self.responseSet = responseSet
        self.responseRemove = responseRemove
    }
}

/// The keys `sts…` of `headers`: for how long browsers use TLS alone (RFC 6797, section 6.1).
package struct StrictTransport: Equatable, Sendable {
    package var seconds: Int
    package var includesSubdomains: Bool
    package var isPreloaded: Bool
    /// Whether the field is also sent where the request came without TLS, as from a proxy that ended it.
    package var isForced: Bool

    package init(seconds: Int, includesSubdomains: Bool = false, isPreloaded: Bool = false, isForced: Bool = false) {
        self.seconds = seconds
        self.includesSubdomains = includesSubdomains
        self.isPreloaded = isPreloaded
        self.isForced = isForced
    }

    /// The value of Strict-Transport-Security.
    var value: String {
        "max-age=\(seconds)" + (includesSubdomains ? "; includeSubDomains" : "") + (isPreloaded ? "; preload" : "")
    }
}

/// `redirectScheme`: redirects a request that arrived by another scheme to the same resource.
package struct SchemeRedirect: Equatable, Sendable {
    package enum Scheme: String, CaseIterable, Sendable {
        case http, https
    }

    package var scheme: Scheme
    /// Nil: the default port of the scheme.
    package var port: Int?
    /// Whether clients may cache the redirect.
    package var isPermanent: Bool

    package init(scheme: Scheme, port: Int? = nil, isPermanent: Bool = false) {
        self.scheme = scheme
        self.port = port
        self.isPermanent = isPermanent
    }
}

/// `ipAllowList`: the addresses from which requests are accepted. All other requests are refused.
package struct IPAllowList: Equatable, Sendable {
    package var ranges: [AddressRange]
    /// The status of the refusal, 400...599.
    package var refusalStatus: Int
    /// Nil: the address of the peer. Otherwise the address at this position of X-Forwarded-For, counted from the right,
    /// starting at 1.
    package var depth: Int?

    package init(ranges: [AddressRange], refusalStatus: Int = 403, depth: Int? = nil) {
        self.ranges = ranges
        self.refusalStatus = refusalStatus
        self.depth = depth
    }
}

/// `basicAuth`: requires a user name and a password (RFC 7617).
package struct BasicAuth: Equatable, Sendable {
    /// The realm of the challenge; contains no quotation mark, backslash or control character.
    package var realm: String
    package var users: [User]
    /// The field that sends the user name to the backend; nil: none.
    package var headerField: String?
    /// Whether Authorization is removed before the request goes to the backend.
    package var removesHeader: Bool

    /// A line of an htpasswd file.
    package struct User: Equatable, Sendable, CustomStringConvertible {
        package var name: String
        package var passwordHash: PasswordHash

        package init(name: String, passwordHash: PasswordHash) {
            self.name = name
            self.passwordHash = passwordHash
        }

        /// Does not reveal the hash.
        package var description: String { "(user)" }
    }

    package init(realm: String = "traefik", users: [User], headerField: String? = nil, removesHeader: Bool = false) {
        self.realm = realm
        self.users = users
        self.headerField = headerField
        self.removesHeader = removesHeader
    }
}
