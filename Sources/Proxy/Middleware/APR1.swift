import Crypto

/// Apache's variant of MD5-crypt, `$apr1$`: a thousand rounds of MD5 over password and salt.
enum APR1 {
    private static let alphabet = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    /// The order in which the bytes of the digest are written, three bytes as four letters.
    private static let order = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
    private static let rounds = 1000

    /// The 22 letters that encode the password's digest.
    static func digest(of password: [UInt8], salt: [UInt8]) -> [UInt8] {
        var digest = first(password, salt)
        for round in 0..<rounds {
            var hash = Insecure.MD5()
            hash.update(data: round & 1 != 0 ? password : digest)
            if round % 3 != 0 { hash.update(data: salt) }
            if round % 7 != 0 { hash.update(data: password) }
            hash.update(data: round & 1 != 0 ? digest : password)
            digest = Array(hash.finalize())
        }
        return letters(of: digest)
    }

    private static func first(_ password: [UInt8], _ salt: [UInt8]) -> [UInt8] {
        let inner = Array(Insecure.MD5.hash(data: password + salt + password))
        var text = password + Array("$apr1$".utf8) + salt
        var left = password.count
        while left > 0 {
            text += inner.prefix(left)
            left -= inner.count
        }
        var bits = password.count
        while bits > 0 {
            text.append(bits & 1 != 0 ? 0 : password[0])
            bits >>= 1
        }
        return Array(Insecure.MD5.hash(data: text))
    }

    private static func letters(of digest: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        func write(_ bits: Int, count: Int) {
            for index in 0..<count { text.append(alphabet[bits >> (6 * index) & 0x3F]) }
        }
        for (high, middle, low) in order {
            write(Int(digest[high]) << 16 | Int(digest[middle]) << 8 | Int(digest[low]), count: 4)
        }
        write(Int(digest[11]), count: 2)
        return text
    }
}
