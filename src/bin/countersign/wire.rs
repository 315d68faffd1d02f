//! HTTP/1.1 as it travels: reads one recorded request (RFC 9112), and writes one that reads back.

use crate::failure::{Exit, Failure};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use httparse::Status;

/// More headers than any client sends.
const HEADERS: usize = 256;

/// A request that was recorded, and what a reader of the recording should know.
#[derive(Debug)]
pub struct Recorded {
    pub request: Request<Bytes>,
    pub notes: Vec<String>,
}

/// Reads a request. The head may have the line ends of an editor; the body is taken byte for byte.
pub fn read(bytes: &Bytes) -> Result<Recorded, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let body_at = match parsed.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => {
            return Err(no_request("the head does not end: an empty line must follow the headers"));
        }
        Err(error) => return Err(no_request("the head is not that of an HTTP/1.1 request").because(&error)),
    };
    let mut notes = Vec::new();
    let ends = bytes[..body_at].iter().filter(|&&byte| byte == b'\n').count();
    let crlf = bytes[..body_at].windows(2).filter(|pair| pair == b"\r\n").count();
    if crlf < ends {
        notes.push(
            "the lines of the head end in LF, on the wire they end in CRLF; nothing signed depends on it"
                .into(),
        );
    }
    let mut request = head(&parsed)?;
    let rest = bytes.slice(body_at..);
    *request.body_mut() = body(request.headers(), rest, &mut notes)?;
    Ok(Recorded { request, notes })
}

fn no_request(message: &str) -> Failure {
    let hint = "record the request as it travelled: request line, headers, an empty line, body";
    Failure::new(Exit::Failure, "no_request", message, hint)
}

fn head(parsed: &httparse::Request<'_, '_>) -> Result<Request<Bytes>, Failure> {
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::from_bytes(method.as_bytes())
        .map_err(|error| no_request("the method is none").because(&error))?;
    *request.uri_mut() =
        Uri::try_from(target).map_err(|error| no_request("the request target is none").because(&error))?;
    *request.version_mut() = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let name = name.map_err(|error| no_request("a header has no usable name").because(&error))?;
        let value = HeaderValue::from_bytes(header.value);
        let value = value.map_err(|error| no_request("a header has no usable value").because(&error))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// Cuts the body out of what follows the head (RFC 9112 §6.3).
fn body(headers: &HeaderMap, rest: Bytes, notes: &mut Vec<String>) -> Result<Bytes, Failure> {
    let chunked = headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .any(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if chunked {
        let (body, after) = dechunk(&rest).ok_or_else(|| {
            no_request(
                "the body is not in chunks, although Transfer-Encoding says so: its line ends must be CRLF",
            )
        })?;
        say_what_follows(after, "the last chunk", notes);
        return Ok(body.into());
    }
    let Some(length) = content_length(headers)? else {
        if rest.ends_with(b"\n") {
            notes.push(
                "there is no Content-Length: the line end at the end of the file is part of the body".into(),
            );
        }
        return Ok(rest);
    };
    if rest.len() < length {
        let message =
            format!("the body has {} of the {length} bytes that Content-Length promises", rest.len());
        return Err(no_request(&message));
    }
    say_what_follows(&rest[length..], "the Content-Length", notes);
    Ok(rest.slice(..length))
}

fn content_length(headers: &HeaderMap) -> Result<Option<usize>, Failure> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(None) };
    if lengths.any(|other| other != first) {
        return Err(no_request("there are several values of Content-Length"));
    }
    let length = first.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let length = length.and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| no_request("Content-Length is not a number"))
}

fn say_what_follows(after: &[u8], end: &str, notes: &mut Vec<String>) {
    match after {
        [] => {}
        b"\n" | b"\r\n" => {
            notes.push(format!("a line end follows the body behind {end}; it is not part of it"))
        }
        more => {
            notes.push(format!("{} bytes follow the body behind {end}; they are not part of it", more.len()))
        }
    }
}

/// Joins chunks (RFC 9112 §7.1); gives the body and what follows it.
fn dechunk(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let Ok(Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else { return None };
        rest = rest.get(start..)?;
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; HEADERS];
            let Ok(Status::Complete((end, _))) = httparse::parse_headers(rest, &mut trailers) else {
                return None;
            };
            return Some((body, rest.get(end..)?));
        }
        let size = usize::try_from(size).ok()?;
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// Writes a request as it travels.
pub fn write(request: &Request<Bytes>) -> Vec<u8> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut text = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    let mut line = |name: &HeaderName, value: &[u8]| {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    if let Some(authority) = uri.authority() {
        line(&HOST, authority.as_str().as_bytes());
    }
    for (name, value) in request.headers() {
        line(name, value.as_bytes());
    }
    line(&CONTENT_LENGTH, request.body().len().to_string().as_bytes());
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(request.body());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_body(text: &str) -> Result<(String, usize), String> {
        let recorded = read(&Bytes::copy_from_slice(text.as_bytes())).map_err(|failure| failure.message)?;
        Ok((String::from_utf8(recorded.request.body().to_vec()).unwrap(), recorded.notes.len()))
    }

    #[test]
    fn the_body_ends_where_the_head_says() {
        let body = |text: &str| read_body(text).unwrap();
        assert_eq!(body("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"), ("{}".to_owned(), 0));
        assert_eq!(body("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}\n"), ("{}".to_owned(), 1));
        assert_eq!(body("POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}"), ("{}".to_owned(), 1));
        assert_eq!(body("POST / HTTP/1.1\r\nHost: a\r\n\r\n{}\n"), ("{}\n".to_owned(), 1));
        assert_eq!(body("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (String::new(), 0));
        let chunks =
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n";
        assert_eq!(body(chunks), ("{}".to_owned(), 0));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for text in [
            "",
            "POST / HTTP/1.1\r\nHost: a\r\n",
            "POST / HTTP/2\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}",
            "POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            "{}",
        ] {
            assert!(read_body(text).is_err(), "{text:?}");
        }
    }
}
