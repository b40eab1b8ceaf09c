package import Routing

/// What a router does to a request and its response before and after the service, in the configured order.
package enum Middleware: Equatable, Sendable {
    case headers(HeaderEdits)
    /// The first of the prefixes that the path begins with is taken off it, and told the backend as X-Forwarded-Prefix.
    /// The prefixes begin with a slash.
    case stripPrefix([String])
    /// Put before the path; begins with a slash.
    case addPrefix(String)
    case redirectScheme(SchemeRedirect)
    case basicAuth(BasicAuth)
    case ipAllowList(IPAllowList)
}

/// `headers`: fields to set and to remove. A set field replaces all of its name.
package struct HeaderEdits: Equatable, Sendable {
    /// Names are tokens, values hold no control characters (RFC 9110, section 5.5). In the order of their names.
    package var requestSet: [Field]
    package var requestRemove: [String]
    package var responseSet: [Field]
    package var responseRemove: [String]

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
        responseRemove: [String] = []
    ) {
        self.requestSet = requestSet
        self.requestRemove = requestRemove
        self.responseSet = responseSet
        self.responseRemove = responseRemove
    }
}

/// `redirectScheme`: answers a request that came by another scheme with where to find the same thing.
package struct SchemeRedirect: Equatable, Sendable {
    package enum Scheme: String, CaseIterable, Sendable {
        case http, https
    }

    package var scheme: Scheme
    /// Nil: the scheme's own.
    package var port: Int?
    /// Whether clients may remember it.
    package var isPermanent: Bool

    package init(scheme: Scheme, port: Int? = nil, isPermanent: Bool = false) {
        self.scheme = scheme
        self.port = port
        self.isPermanent = isPermanent
    }
}

/// `ipAllowList`: who may ask. All others are refused.
package struct IPAllowList: Equatable, Sendable {
    package var ranges: [AddressRange]
    /// The status of the refusal, 400...599.
    package var refusalStatus: Int
    /// Nil: the address of the peer. Else the address at this place of X-Forwarded-For, counted from the right from 1.
    package var depth: Int?

    package init(ranges: [AddressRange], refusalStatus: Int = 403, depth: Int? = nil) {
        self.ranges = ranges
        self.refusalStatus = refusalStatus
        self.depth = depth
    }
}

/// `basicAuth`: a user and a password (RFC 7617), without which nobody gets further.
package struct BasicAuth: Equatable, Sendable {
    /// Of the challenge; holds no quotation mark, backslash or control character.
    package var realm: String
    package var users: [User]
    /// The field that tells the backend who it is; nil: none.
    package var headerField: String?
    /// Whether the backend does not see Authorization.
    package var removesHeader: Bool

    /// A line of an htpasswd file.
    package struct User: Equatable, Sendable, CustomStringConvertible {
        package var name: String
        package var passwordHash: PasswordHash

        package init(name: String, passwordHash: PasswordHash) {
            self.name = name
            self.passwordHash = passwordHash
        }

        /// Does not show the hash.
        package var description: String { "(user)" }
    }

    package init(realm: String = "traefik", users: [User], headerField: String? = nil, removesHeader: Bool = false) {
        self.realm = realm
        self.users = users
        self.headerField = headerField
        self.removesHeader = removesHeader
    }
}
